# Three images: the operator's, the worker's, and the worker's with Java and Spark, for runs with engine spark.
#
#   docker build --target operator -t clustertrigger/operator .
#   docker build --target worker   -t clustertrigger/worker   .
#   docker build --target spark    -t clustertrigger/spark    .
#
# Each has a stage of libraries, which changes with the requirements, and a last one of sources, which takes seconds.
# BASE is any Debian-like image with python3 >= 3.11 and its venv module; python3 -m harness.image makes one where there
# is no registry of images. Plain Dockerfile syntax throughout: BuildKit and buildah 1.28 both build it.
ARG BASE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
ARG OPERATOR_LIBRARIES=operator-libraries
ARG WORKER_LIBRARIES=worker-libraries
ARG SPARK_LIBRARIES=spark-libraries

# The base without what only an intruder would use: shells, package managers, files that lend their owner's rights. What
# dpkg has installed stays on record, for scanners.
FROM ${BASE} AS trimmed
RUN echo 'nonroot:x:65532:65532:nonroot:/tmp:/usr/sbin/nologin' >> /etc/passwd && echo 'nonroot:x:65532:' >> /etc/group
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && rm -rf /usr/bin/apt* /usr/lib/apt /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/dpkg /usr/bin/deb* /usr/sbin/deb* \
        /usr/bin/perl* /usr/share/perl* /usr/lib/*/perl* \
        /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/* \
        /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip /usr/share/python-wheels \
        /bin/bash /bin/rbash /bin/dash /bin/sh /usr/bin/bash /usr/bin/rbash /usr/bin/dash /usr/bin/sh

# What all images share: a user without a name to guess, and Python that never wants to write.
FROM scratch AS runtime
COPY --from=trimmed / /
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/clustertrigger
LABEL org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="ClusterTrigger"

FROM ${BASE} AS operator-installed
COPY requirements/install.sh requirements/operator.txt /requirements/
RUN sh /requirements/install.sh /requirements/operator.txt

FROM runtime AS operator-libraries
COPY --from=operator-installed /opt/venv /opt/venv

FROM ${BASE} AS worker-installed
COPY requirements/install.sh requirements/worker.txt /requirements/
RUN sh /requirements/install.sh /requirements/worker.txt
# What install.sh left out must not be missed.
RUN /opt/venv/bin/python -c 'import faiss, jinja2, matplotlib.pyplot, pyarrow.fs, pyarrow.parquet, sklearn.cluster, sklearn.metrics'
# numba's code for a processor of no particular make, so that it is valid on every node of this architecture.
COPY operator/clusterworker/process/jit_cache.py operator/clusterworker/process/warm.py /warm/clusterworker/process/
RUN NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/opt/numba-cache PYTHONPATH=/warm \
    /opt/venv/bin/python -m clusterworker.process.warm

FROM runtime AS worker-libraries
COPY --from=worker-installed /opt/venv /opt/venv
COPY --from=worker-installed /opt/numba-cache /opt/numba-cache
# The root file system is read-only in a Job: read the cache where it is, write what it lacks to /tmp.
ENV NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_DIR=/opt/numba-cache \
    NUMBA_CACHE_LOCATOR_CLASSES=clusterworker.process.jit_cache.ImageCacheLocator \
    MPLBACKEND=agg \
    MPLCONFIGDIR=/tmp/matplotlib

FROM ${BASE} AS spark-installed
COPY requirements/spark.sh requirements/spark.txt requirements/worker.txt /requirements/
RUN sh /requirements/spark.sh /requirements/spark.txt /requirements/worker.txt

FROM ${WORKER_LIBRARIES} AS spark-libraries
COPY --from=spark-installed /opt/java /opt/java
COPY --from=spark-installed /opt/spark /opt/spark
COPY --from=spark-installed /opt/record /var/lib/dpkg/status.d
ENV JAVA_HOME=/opt/java \
    PYTHONPATH=/opt/spark

FROM ${OPERATOR_LIBRARIES} AS operator
LABEL org.opencontainers.image.title="ClusterTrigger operator" \
      org.opencontainers.image.description="Fires ClusterTriggers as Kubernetes Jobs"
# a+rX: after a checkout with a strict umask, the user of the image could otherwise not read the files.
COPY operator/clustercontract clustercontract
COPY operator/clustertrigger clustertrigger
RUN ["chmod", "-R", "a+rX", "."]
RUN ["python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "clustercontract", "clustertrigger"]
USER 65532:65532
ENTRYPOINT ["python", "-m", "clustertrigger.main"]

FROM ${WORKER_LIBRARIES} AS worker
LABEL org.opencontainers.image.title="ClusterTrigger worker" \
      org.opencontainers.image.description="Clusters a collection of embeddings: what a ClusterTrigger's Job runs"
# The documents of the chart's example (demo.enabled) and their taxonomy, which a Job copies into a claim.
COPY examples/data/debian-packages.parquet examples/data/debian-sections.parquet examples/
COPY operator/clustercontract clustercontract
COPY operator/clusterworker clusterworker
RUN ["chmod", "-R", "a+rX", "."]
RUN ["python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "clustercontract", "clusterworker"]
USER 65532:65532
ENTRYPOINT ["python", "-m", "clusterworker"]

FROM ${SPARK_LIBRARIES} AS spark
LABEL org.opencontainers.image.title="ClusterTrigger worker with Spark" \
      org.opencontainers.image.description="Clusters a collection of embeddings by Apache Spark's executors"
COPY operator/clustercontract clustercontract
COPY operator/clusterworker clusterworker
RUN ["chmod", "-R", "a+rX", "."]
RUN ["python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "clustercontract", "clusterworker"]
USER 65532:65532
ENTRYPOINT ["python", "-m", "clusterworker"]
