package millrace

import "testing"

// Badger and the caches in front of it share CacheBytes, however many tasks there are.
func TestCacheBytesIsDealtOnce(t *testing.T) {
	for _, tasks := range []int{0, 1, 3, 64} {
		c := Config{CacheBytes: 64 << 20}
		total := c.badgerBytes() + int64(max(tasks, 1))*c.cacheBytes(tasks)
		if total > c.CacheBytes || total < c.CacheBytes-int64(tasks) {
			t.Errorf("%d tasks: %d bytes in all, want %d", tasks, total, c.CacheBytes)
		}
	}
}
