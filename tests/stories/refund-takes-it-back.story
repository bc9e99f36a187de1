Story: A refund takes back what the purchase had brought
  Given on 2025-05-05 rudi buys for 50.00
  Given on 2025-05-12 rudi buys for 9000.00
  Given on 2025-05-13 rudi buys for 9000.00
  Then on 2025-05-14 rudi is ranked high_value
  Given on 2025-05-20 rudi returns the purchase of 2025-05-12
  Given on 2025-05-21 rudi returns the purchase of 2025-05-13
  Then in the end rudi has spent 50.00
  Then on 2025-09-01 rudi is ranked regular
