#!/bin/sh
# Put Spark into /opt of an image under construction: spark.sh SPARK.txt WORKER.txt.
# /opt/java gets Debian's Java runtime, /opt/spark Python packages with Spark's jars, /opt/record the entry by which
# scanners find Java. Of the requirements in SPARK.txt only those are installed that are not in WORKER.txt, because the
# worker's environment has the others. PySpark is published as a source archive, which is unpacked: to build it would
# compress 450 MB of jars.
set -eu
spark=$1
worker=$2

mkdir -p /opt/spark /opt/record /usr/share/man/man1
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends openjdk-17-jre-headless > /dev/null
# Links lead to /etc and to the system's certificates: the copy stands alone.
cp -aL /usr/lib/jvm/java-17-openjdk-* /opt/java
dpkg-query --status openjdk-17-jre-headless > /opt/record/openjdk-17-jre-headless

python3 - "$spark" "$worker" <<'END'
import re
import sys
from pathlib import Path

def pins(file):
    return set(re.findall(r"^[a-z0-9][\w.-]*==\S+(?: ;[^\\\n]*)? \\\n(?: +--hash=\S+(?: \\)?\n)+", Path(file).read_text(), re.MULTILINE))

added = sorted(pins(sys.argv[1]) - pins(sys.argv[2]))
Path("/tmp/pyspark.txt").write_text("".join(pin for pin in added if pin.startswith("pyspark==")))
Path("/tmp/others.txt").write_text("".join(pin for pin in added if not pin.startswith("pyspark==")))
END

python3 -m venv /opt/pip
pip() {
    command=$1
    shift
    /opt/pip/bin/pip "$command" --quiet --disable-pip-version-check --no-input --no-cache-dir --no-deps \
        --require-hashes "$@"
}
pip download --no-binary :all: --dest /tmp/pyspark --requirement /tmp/pyspark.txt
pip install --no-compile --only-binary :all: --target /opt/spark --requirement /tmp/others.txt

archive=$(echo /tmp/pyspark/pyspark-*.tar.gz)
name=$(basename "$archive" .tar.gz)
tar --extract --gzip --file "$archive" --directory /tmp \
    "$name/pyspark" "$name/deps/jars" "$name/PKG-INFO" "$name/LICENSE" "$name/NOTICE"
mv "/tmp/$name/pyspark" /opt/spark/pyspark
mv "/tmp/$name/deps/jars" "/tmp/$name/LICENSE" "/tmp/$name/NOTICE" /opt/spark/pyspark/
mkdir "/opt/spark/$name.dist-info"
mv "/tmp/$name/PKG-INFO" "/opt/spark/$name.dist-info/METADATA"

# A driver in client mode and its executors run Python functions over Arrow batches. Half of the jars are for what they
# never do: Hive, Spark Connect, YARN, streaming's state, MLlib, a Scala shell, other operating systems.
cd /opt/spark/pyspark/jars
rm -r connect-repl
rm -f HikariCP-* JLargeArrays-* JTransforms-* ST4-* algebra_* antlr-runtime-* arpack* avro-ipc-* avro-mapred-* breeze* \
    cats-kernel_* commons-dbcp-* commons-pool-* curator-* datanucleus-* derby* hive-* javax.jdo-* javolution-* jdo-api-* \
    jline-* jpam-* json-1.* jta-* leveldbjni-* libfb303-* libthrift-* netty-*-osx-* netty-*-windows-* opencsv-* oro-* \
    rocksdbjni-* scala-compiler-* spark-connect_* spark-graphx_* spark-hive* spark-mllib_* spark-pipelines_* \
    spark-repl_* spark-yarn_* spire* stax-api-* super-csv-* transaction-api-* volcano-* zookeeper-*

# As install.sh: no tests, and byte code ahead of time, valid whatever the files' times become.
find /opt/spark -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
python3 -m compileall -q --invalidation-mode unchecked-hash /opt/spark
/opt/java/bin/java -Xmx64m -version 2> /dev/null
PYTHONPATH=/opt/spark python3 -c 'import pyspark, py4j'
