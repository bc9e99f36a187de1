Story: A high-end purchase and three referrals lift a customer to the top
  Given a crowd of 200 customers
  Given on 2025-03-03 ana buys for 60.00
  Then on 2025-03-04 ana is ranked regular
  Given on 2025-06-02 ana buys for 2400.00
  Given on 2025-06-03 ana refers bert
  Given on 2025-06-04 ana refers cleo
  Given on 2025-06-05 ana refers dora
  Then on 2025-06-06 ana is ranked high_value
  Then on 2025-06-06 ana is shown as high_value
