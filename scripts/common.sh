# What the scripts that install what the tests need, and run servers for them, have in common; they source it. Before, they set name, by which they
# speak, and dir, where everything of theirs lands.

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

say() { echo "$name: $*"; }
die() { echo "$name: $*" >&2; exit 1; }

# rooted runs a command as root.
rooted() {
	if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# debian ends the script where there is no apt-get, and says what to install by hand.
debian() { command -v apt-get >/dev/null || die "no apt-get here; install $1"; }

# packages installs Debian packages; it says so on standard error, as a script's output may be an answer.
packages() {
	say "installing $*" >&2
	rooted apt-get update -qq </dev/null
	rooted env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
}

# alone waits until no other process changes what is in dir. A server does not inherit the lock when it is started with 9>&-.
alone() {
	exec 9>"$dir/lock"
	flock 9
}

# run does what a script is asked for with its functions start, stop, ready and clean.
run() {
	case ${1:-} in
	start | stop | clean)
		alone
		"$1"
		;;
	status)
		if ready; then say "running"; else say "not running"; exit 1; fi
		;;
	*) die "usage: $0 start|stop|status|clean" ;;
	esac
}
