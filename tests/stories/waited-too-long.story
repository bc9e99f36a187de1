Story: A customer who waited too long is called back, answers, and is off the list
  Given on 2025-01-08 wim buys for 400.00
  Given on 2025-02-05 wim buys for 350.00
  Given on 2025-04-20 wim complains about waiting_time
  Then on 2025-04-28 a warning disengaged stands for wim, reason service
  Then on 2025-05-07 a warning early_silence stands for wim, reason service
  Then on 2025-05-07 wim is shown as at_risk
  Given on 2025-05-09 wim answers a campaign
  Then on 2025-05-10 the warning early_silence for wim is over by response
  Then on 2025-05-10 the warning disengaged for wim is over by response
  Then on 2025-05-10 no warning stands for wim
