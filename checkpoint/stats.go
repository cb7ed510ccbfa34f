package checkpoint

import "time"

// Stats is a reading of a log's counters. Sizes are bytes.
type Stats struct {
	Epochs           int64         // epochs completed by this process
	Folds            int64         // folds finished by this process
	Runs             int           // files the newest state consists of
	TotalBytes       int64         // of those files
	SegmentBytes     int64         // of the last segment; 0 when nothing had changed
	FoldedBytes      int64         // written by folds of this process
	CompleteDuration time.Duration // the last Complete: segment and slot; not the head, which is moved behind it
	FoldDuration     time.Duration // the last fold
	GarbageFiles     int           // files waiting to be deleted
	GarbageErrors    int64         // deletions that did not succeed; they are tried again
}
