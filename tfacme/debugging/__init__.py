"""Looking into a run: stepping through it (`tfacme train --debug`), and where its time goes (`--profile`).

What runs is not here, and knows nothing of it: a run that is not looked into pays nothing.
"""
