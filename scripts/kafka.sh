#!/usr/bin/env bash
# Runs a real Kafka broker for the integration tests and benchmarks: one KRaft node on the loopback interface, made of
# artifacts from Maven Central. Nothing of it is part of the product; everything lands in .kafka/, which git ignores.
#
#   scripts/kafka.sh start     format when new, start when not running, wait until it answers
#   scripts/kafka.sh stop      stop it; topics and records stay
#   scripts/kafka.sh status    say whether it answers; exit status 1 when not
#   scripts/kafka.sh clean     stop it and delete its data; the jars stay
#
# Listeners, all on 127.0.0.1:
#   9092 PLAINTEXT
#   9094 SASL_PLAINTEXT, SCRAM-SHA-512, user "millrace", password "millrace-secret"
#   9095 SSL, certificate of the authority in .kafka/tls/ca.pem, for the names localhost and 127.0.0.1
#   9093 the controller's own
#
# MILLRACE_KAFKA_DIR puts data, logs and jars elsewhere (a tmpfs for latency runs).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${MILLRACE_KAFKA_DIR:-$(dirname "$here")/.kafka}
name=kafka
# shellcheck source=scripts/common.sh
source "$here/common.sh"

readonly user=millrace password=millrace-secret store_password=millrace-store
readonly start_seconds_max=60 stop_seconds_max=30

install() {
	debian "a JRE 17 or newer, Maven and openssl"
	packages "$@"
}

tools() {
	command -v java >/dev/null || install default-jre-headless
	command -v openssl >/dev/null || install openssl
}

# jars fetches the broker again only when the pom has changed.
jars() {
	local stamp want
	stamp=$dir/libs/.pom.sha256
	want=$(sha256sum <"$here/kafka/pom.xml")
	[[ -f $stamp && $(<"$stamp") == "$want" ]] && return
	command -v mvn >/dev/null || install maven
	say "fetching the broker's jars"
	rm -rf "$dir/libs"
	mvn -B -q -f "$here/kafka/pom.xml" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$dir/libs" </dev/null
	echo "$want" >"$stamp"
}

# certificates makes an authority and a server certificate signed by it, so that clients verify as they would in earnest.
certificates() {
	local tls=$dir/tls
	[[ -f $tls/server.p12 ]] && openssl x509 -in "$tls/server.pem" -noout -checkend 86400 >/dev/null && return
	say "making certificates"
	rm -rf "$tls" && mkdir -p "$tls"
	openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 365 -subj "/CN=millrace test authority" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
		-keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -sha256 -subj "/CN=localhost" \
		-keyout "$tls/server.key" -out "$tls/server.csr" 2>/dev/null
	openssl x509 -req -sha256 -days 365 -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial \
		-extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n') \
		-out "$tls/server.pem" 2>/dev/null
	openssl pkcs12 -export -name broker -in "$tls/server.pem" -inkey "$tls/server.key" -certfile "$tls/ca.pem" \
		-passout "pass:$store_password" -out "$tls/server.p12"
}

properties() {
	cat >"$dir/server.properties" <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:9093
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093,SASL_PLAINTEXT://127.0.0.1:9094,SSL://127.0.0.1:9095
		advertised.listeners=PLAINTEXT://127.0.0.1:9092,SASL_PLAINTEXT://127.0.0.1:9094,SSL://127.0.0.1:9095
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL

		sasl.enabled.mechanisms=SCRAM-SHA-512
		listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		ssl.keystore.type=PKCS12
		ssl.keystore.location=$dir/tls/server.p12
		ssl.keystore.password=$store_password
		ssl.key.password=$store_password

		log.dirs=$dir/data
		log.segment.bytes=268435456
		log.retention.hours=-1
		log.retention.bytes=8589934592
		auto.create.topics.enable=false
		num.network.threads=2
		num.io.threads=2
		group.initial.rebalance.delay.ms=0

		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
	END
	cat >"$dir/log4j2.properties" <<-END
		status=warn
		appender.file.type=File
		appender.file.name=file
		appender.file.fileName=$dir/broker.log
		appender.file.layout.type=PatternLayout
		appender.file.layout.pattern=%d %p %c: %m%n
		rootLogger.level=warn
		rootLogger.appenderRef.file.ref=file
		logger.server.name=kafka.server
		logger.server.level=info
	END
}

# kafka runs a class of the broker's jars with little memory: the tools, not the broker.
kafka() {
	java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		"-Dlog4j2.configurationFile=$dir/log4j2.properties" -cp "$dir/libs/*" "$@" </dev/null
}

format() {
	[[ -f $dir/data/meta.properties ]] && return
	say "formatting $dir/data"
	local id
	id=$(kafka kafka.tools.StorageTool random-uuid)
	kafka kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" \
		--add-scram "SCRAM-SHA-512=[name=$user,password=$password]" >"$dir/format.log" 2>&1 ||
		die "format: $(tail -3 "$dir/format.log")"
}

# running says whether the process in the pid file is still our broker, and not another that got its number.
running() {
	[[ -f $dir/pid ]] && tr '\0' ' ' 2>/dev/null <"/proc/$(<"$dir/pid")/cmdline" | grep -q "kafka.Kafka $dir/server.properties"
}

# answers asks the broker for its API versions on the plain listener: an open port alone is no broker.
answers() {
	local reply
	exec {sock}<>/dev/tcp/127.0.0.1/9092 || return 1
	# length 10, ApiVersions (18) version 0, correlation 1, no client id
	printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&"$sock"
	reply=$(timeout 2 head -c 10 <&"$sock" | od -An -tx1 -v | tr -d ' \n') || true
	exec {sock}>&-
	# after the length: correlation 1, error 0
	[[ ${reply:8:12} == 000000010000 ]]
}

ready() { running && answers 2>/dev/null && open 9094 && open 9095; }

open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
	if ready; then
		say "already running on 127.0.0.1:9092, pid $(<"$dir/pid")"
		return
	fi
	if ! running; then
		local free=$((SECONDS + 5)) # a broker that was just killed may still be closing
		while open 9092; do
			((SECONDS < free)) || die "port 9092 is taken by something else; stop it first"
			sleep 0.2
		done
		tools
		jars
		certificates
		properties
		format
		: >"$dir/broker.out"
		nohup setsid java -Xms1g -Xmx1g -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
			-XX:+ExplicitGCInvokesConcurrent -XX:+PerfDisableSharedMem -Djava.awt.headless=true \
			"-Dlog4j2.configurationFile=$dir/log4j2.properties" -cp "$dir/libs/*" \
			kafka.Kafka "$dir/server.properties" </dev/null >"$dir/broker.out" 2>&1 9>&- &
		echo $! >"$dir/pid"
	fi
	local end=$((SECONDS + start_seconds_max))
	until ready; do
		running || sleep 0.2 # between fork and exec the command line is still the shell's
		running || die "the broker ended while starting: $(tail -5 "$dir/broker.out"); see $dir/broker.log"
		((SECONDS < end)) || die "no answer after ${start_seconds_max}s; see $dir/broker.log"
		sleep 0.2
	done
	say "running on 127.0.0.1:9092 (SASL 9094, TLS 9095), pid $(<"$dir/pid")"
}

stop() {
	if ! running; then
		rm -f "$dir/pid"
		say "not running"
		return
	fi
	local pid end=$((SECONDS + stop_seconds_max))
	pid=$(<"$dir/pid")
	kill "$pid"
	while running && ((SECONDS < end)); do sleep 0.1; done
	if running; then
		say "did not stop within ${stop_seconds_max}s; killing it"
		kill -9 "$pid"
	fi
	rm -f "$dir/pid"
	say "stopped"
}

clean() {
	stop
	rm -rf "$dir/data" "$dir/tls" "$dir"/*.log "$dir"/*.properties "$dir/broker.out"
}

run "$@"
