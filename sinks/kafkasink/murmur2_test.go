package kafkasink

import "testing"

// TestMurmur2 holds the values of Kafka's own test (UtilsTest.testMurmur2) for the Java function.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%q: got %d, want %d", key, got, want)
		}
	}
}

// TestPartitionOf holds toPositive(hash) % partitions, of hashes above: a negative one is masked, not negated.
func TestPartitionOf(t *testing.T) {
	for _, c := range []struct {
		key  string
		n    int
		want int32
	}{
		{"abc", 1, 0},
		{"abc", 10, 7},        // 479470107
		{"21", 10, 0},         // -973932308 & 0x7fffffff = 1173551340
		{"foobar", 1000, 166}, // -790332482 & 0x7fffffff = 1357151166
		{"foobar", 7, 1357151166 % 7},
	} {
		if got := partitionOf([]byte(c.key), c.n); got != c.want {
			t.Errorf("%q of %d: got %d, want %d", c.key, c.n, got, c.want)
		}
	}
}
