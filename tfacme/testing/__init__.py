"""For tests of agents, also of those outside this repository: what each has to hold, and small environments for it.

    def test_my_agent(tmp_path):
      experiment = tfacme.Experiment(my_agent.Builder(...), testing.TwoStates, my_agent.default_networks(), ...)
      testing.check_agent(experiment, tmp_path)

`check_agent` is all checks together, which take a few runs of the experiment: give it a small budget. What it offers is
in `__init__.pyi`; nothing here is needed by a run, and nothing else in tfacme imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
