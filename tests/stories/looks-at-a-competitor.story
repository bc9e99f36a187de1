Story: A customer looks at a competitor, and a purchase takes the warning away
  Given on 2025-02-10 cora buys for 500.00
  Given on 2025-04-02 cora looks at Rival
  Then on 2025-04-03 a warning competitor stands for cora, reason competitor
  Then on 2025-04-03 cora is shown as at_risk
  Given on 2025-04-12 cora buys for 80.00
  Then on 2025-04-13 the warning competitor for cora is over by purchase
  Then on 2025-04-13 no warning stands for cora
