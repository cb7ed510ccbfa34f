package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// record is what is produced.
type record struct {
	Split int32  `json:"split"`
	Seq   int64  `json:"seq"`
	Key   string `json:"key"`
	Hash  string `json:"hash"`
}

// counted is what comes out of it: how many records of its key there were up to it.
type counted struct {
	record
	Count int64 `json:"count"`
}

// content says which records there are: all follows from the seed.
type content struct {
	seed uint64
	keys int
}

// at makes a record. Half of them have one of few keys.
func (c content) at(split int32, seq int64) record {
	x := mix(c.seed ^ mix(uint64(split)<<48^uint64(seq)))
	key := int((x >> 1) % uint64(c.keys))
	if x&1 == 0 {
		key %= 10
	}
	r := record{Split: split, Seq: seq, Key: fmt.Sprintf("key-%d-%04d", split, key)}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%d/%s/%d", split, seq, r.Key, c.seed)
	r.Hash = fmt.Sprintf("%016x", h.Sum64())
	return r
}

// mix is splitmix64's.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r record) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers and plain texts
	}
	return b
}
