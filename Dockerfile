# An image with the locked packages and tfacme, for any cluster that runs containers: docs/deploying.md.
#
#   docker build --tag tfacme .
#   docker build --tag tfacme --build-arg LOCKS="ray environments cuda" .   # with the libraries that a GPU needs
FROM python:3.10-slim

# KubeRay asks with wget whether Ray is well.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*

# Those of requirements/ that are installed, all into the image's own Python: KubeRay begins with a login shell, which
# would not find another one. Each package has to be the one that the lock has the hash of.
ARG LOCKS="ray environments"
WORKDIR /build
COPY requirements/*.txt requirements/
RUN for lock in $LOCKS; do set -- "$@" --requirement "requirements/$lock.txt"; done \
    && python -m pip install --no-cache-dir --require-hashes "$@"

COPY pyproject.toml setup.py README.md LICENSE ./
COPY tfacme tfacme
# The lock has the setuptools that builds it, so that nothing else is fetched.
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation . && rm -rf /build/*

# The user that the pods of `tfacme deploy kubernetes` have.
RUN useradd --create-home --uid 1000 tfacme && mkdir /work && chown tfacme /work
USER tfacme
WORKDIR /work
ENV RAY_USAGE_STATS_ENABLED=0
CMD ["tfacme", "--help"]
