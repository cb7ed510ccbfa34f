package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readTopic takes what a reader of committed records finds, to the topic's end.
func (c *campaign) readTopic(ctx context.Context, l *ledger) error {
	all, err := ends(ctx, c.client, c.out, false)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.ConsumeTopics(c.out), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	left := map[int32]bool{}
	for p, end := range all {
		if end > 0 {
			left[int32(p)] = true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, outputWithin)
	defer cancel()
	for len(left) > 0 { // the last of each partition is a marker
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the output, partitions %v are left: %w", left, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= all[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			var row counted
			where := fmt.Sprintf("partition %d, offset %d", r.Partition, r.Offset)
			if err := json.Unmarshal(r.Value, &row); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
			l.take(row, where)
		}
	}
	return nil
}

// readFiles takes what is in files with a final name. A key's records are of one task, whose files sort in the order of their writing.
func (c *campaign) readFiles(l *ledger) (files, hidden int, err error) {
	found, err := os.ReadDir(c.files())
	if err != nil {
		return 0, 0, err
	}
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") {
			hidden++
			continue
		}
		files++
		if err := readFile(filepath.Join(c.files(), f.Name()), l); err != nil {
			return 0, 0, err
		}
	}
	return files, hidden, nil
}

func readFile(path string, l *ledger) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		where := fmt.Sprintf("%s:%d", filepath.Base(path), n)
		var row counted
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		l.take(row, where)
	}
	return lines.Err()
}

// readTable takes the rows in the order of their insertion.
func (c *campaign) readTable(ctx context.Context, l *ledger) error {
	rows, err := c.database.Query(ctx, "SELECT n, split, seq, key, hash, count FROM "+c.table+" ORDER BY n")
	if err != nil {
		return err
	}
	var n int64
	var row counted
	_, err = pgx.ForEachRow(rows, []any{&n, &row.Split, &row.Seq, &row.Key, &row.Hash, &row.Count}, func() error {
		l.take(row, fmt.Sprintf("row %d", n))
		return nil
	})
	return err
}

// check compares all three outputs with the input, and looks for what was left behind.
func (c *campaign) check(ctx context.Context, produced []int64, begun time.Time) (r report, err error) {
	r = newReport(c.settings, c.found, time.Since(begun))
	for _, n := range produced {
		r.Produced += n
	}
	if r.OpenTransactions, r.KnownTransactions, err = settled(ctx, c.client, c.prefix); err != nil {
		return r, err
	}
	if r.HiddenOffsets, err = hidden(ctx, c.client, c.out); err != nil {
		return r, err
	}
	topic, files, table := newLedger(c.content, produced), newLedger(c.content, produced), newLedger(c.content, produced)
	if err := c.readTopic(ctx, topic); err != nil {
		return r, err
	}
	if r.Files, r.HiddenFiles, err = c.readFiles(files); err != nil {
		return r, err
	}
	if err := c.readTable(ctx, table); err != nil {
		return r, err
	}
	r.Sinks = map[string]tally{"kafka": topic.finish(), "files": files.finish(), "postgres": table.finish()}
	return r, nil
}
