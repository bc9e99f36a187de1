"""The scorer's pure core: (state, event, policy, now) -> (state', effects).

No clock, no I/O, no logging, no framework, no randomness. What it decides stands in ``RULES.md``; where:

==================================  =====================================================================
the three transitions               ``advance`` (event, time, crowd), ``rescore`` (another policy); what
                                    they are given and return: ``draft``
at one instant, in order            ``evaluate``; what is due when: ``due``
what an event is, refused, kept     ``news``, ``memory``, ``limits``; what the months counted: ``counted``;
                                    quieter topics: ``notes``, ``pins``, ``sightings``
purchases, returns, the window      ``facts``, ``window``; by local month: ``months``; products:
                                    ``products``, ``earnings``; money: ``money``, ``currencies``;
                                    the usual gap between purchases: ``gap``
score                               ``score``, each metric: ``metrics/``
cut-offs and tiers                  ``cuts``, ``tiers``; the ladder: ``policy/ladder``
warnings                            ``episodes``, each rule: ``churn/``; contacts that break a silence:
                                    ``contacts``; the likely reason: ``reasons``
purchase and spend models           ``models/``; of one customer: ``predictions``
views, which move nothing           ``segments/``, ``view``
why, and what if                    ``explain``, ``story``, ``lift``, ``what_if``
what is kept, what is published     ``state``, ``effects``, ``referral``; ids and hashes: ``identity``
every number                        ``policy/``; what must hold between them: ``policy/checks``
==================================  =====================================================================
"""
