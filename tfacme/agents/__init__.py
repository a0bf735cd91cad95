"""The agents, one package for each; `registry` knows them by name. Importing this package imports none of them."""
