Story: A manager pins a tier with a cause and an end
  Given on 2025-03-10 petra buys for 40.00
  Given on 2025-03-20 a manager pins petra to high_value until 2025-06-20
  Then on 2025-03-21 petra is shown as high_value
  Then on 2025-03-21 petra is ranked regular
  Then on 2025-06-21 petra is shown as at_risk
