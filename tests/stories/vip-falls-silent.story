Story: A high-value customer is silent for six months and answers no campaign
  Given on 2025-01-06 vera buys for 9000.00
  Given on 2025-01-20 vera buys for 9000.00
  Given on 2025-02-03 vera buys for 9000.00
  Then on 2025-02-05 vera is ranked high_value
  Given on 2025-04-10 vera opens a campaign
  Then on 2025-08-03 a warning high_value_silence of high severity stands for vera
  Then on 2025-08-03 vera is shown as at_risk
  Then on 2025-08-03 vera is ranked high_value
