Story: A purchase that never was is voided, and the silence it broke counts again
  Given on 2025-02-01 nora buys for 300.00
  Given on 2025-04-25 nora buys for 700.00
  Given on 2025-05-21 the purchase of nora on 2025-04-25 never was
  Then on 2025-05-22 a warning early_silence stands for nora
  Then in the end nora has spent 300.00
