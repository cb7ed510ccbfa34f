package checkpoint

import (
	"encoding/binary"

	"github.com/millrace-io/millrace/flow"
)

// headName is the one mutable object.
const headName = "head"

// head names the newest slot known when it was written. Slots up to it must be there; more may follow. Slot 0 is no
// slot: the lineage has an id and nothing else.
type head struct {
	lineage string
	slot    uint64
	hash    digest     // of the slot's record
	epoch   flow.Epoch // newest complete epoch then; for error texts
}

func (h head) encode() []byte {
	b := appendString(nil, h.lineage)
	b = binary.AppendUvarint(b, h.slot)
	b = append(b, h.hash[:]...)
	return seal(headMagic, binary.AppendUvarint(b, uint64(h.epoch)))
}

func decodeHead(data []byte) (head, error) {
	payload, err := unseal(headMagic, data)
	if err != nil {
		return head{}, err
	}
	f := fields{rest: payload}
	h := head{lineage: f.string(), slot: f.uvarint(), hash: f.digest(), epoch: flow.Epoch(f.int63())}
	return h, f.end()
}
