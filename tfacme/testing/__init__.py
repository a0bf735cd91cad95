"""For tests of agents, also of those outside this repository: what each has to hold, and small environments for it.

    def test_my_agent(tmp_path):
      testing.check_agent(experiment, tmp_path)

Nothing here is needed by a run, and nothing else in tfacme imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
