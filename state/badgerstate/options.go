package badgerstate

import (
	"math"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
)

const (
	latest    = math.MaxUint64 // the read timestamp that sees every commit
	memTables = 2              // full ones that wait for their flush, besides the one being written

	// reserveMemTables is Badger's working room on disk, in memtables: the logs of three memtables take six (they are
	// mapped at twice their size), the rest is for the copies a compaction makes before it deletes.
	reserveMemTables = 32
)

func options(dir string, cacheBytes int64, log badger.Logger) badger.Options {
	o := badger.DefaultOptions(dir)
	o.Logger = log
	o.SyncWrites, o.CompactL0OnClose = false, false // the checkpoint is the truth
	o.DetectConflicts = false                       // a task's keys have one writer
	o.MetricsEnabled = false
	o.NumVersionsToKeep = 1
	o.NumCompactors = 2
	o.NumMemtables = memTables
	o.MemTableSize = min(max(cacheBytes/24, MemTableBytesMin), MemTableBytesMax)
	o.ValueThreshold = 512 << 10 // above pieceBytes: the value log stays empty
	o.ValueLogFileSize = 1 << 20
	o.TableSizeMultiplier = 1                               // tables of 2 MiB on every level, because a dozen are built at a time
	o.Compression, o.BlockCacheSize = badgeroptions.None, 0 // blocks are read in the mapped file, without a copy
	o.ChecksumVerificationMode = badgeroptions.OnBlockRead
	return o
}
