package wire

import "encoding/binary"

// SendingConfig is what the sending end is made of.
type SendingConfig struct {
	Lane
	CreditBytes   int // no batch is sent while so many bytes are under way
	BatchBytesMax int // of an encoded batch
	PieceBytesMax int // of a frame: what the network carries at once, more than HeadBytes
	ProbesMax     int // so many probes in a row may stay without an answer
}

// Sending is the sending end of a lane. One goroutine uses it.
type Sending struct {
	end
	c SendingConfig

	sent       uint64 // newest batch
	sizes      []int  // of the batches behind taken
	bytes      int    // of them all
	taken      uint64 // newest that the consumer's lane has
	limit      uint64 // newest that may be sent; 0: the receiver has not been heard of
	probe      uint64 // newest probe
	probed     uint64 // newest batch at that probe
	unanswered int    // probes since the last grant
	small      [GrantBytes]byte
}

// NewSending makes the sending end.
func NewSending(c SendingConfig) *Sending { return &Sending{end: newEnd(c.Lane), c: c} }

// Next is the number of the next batch, and whether there is credit for it.
func (s *Sending) Next() (seq uint64, credit bool) {
	return s.sent + 1, s.sent < s.limit && s.bytes < s.c.CreditBytes
}

// Send sends the batch Next, for which there must be credit: buf is its body behind HeadBytes of room. Publish is called with one
// frame, or with several in order; each lies in buf and is valid during the call. An error of publish is returned as it is.
func (s *Sending) Send(buf []byte, publish func(frame []byte) error) error {
	total := len(buf) - HeadBytes
	if total > s.c.BatchBytesMax {
		return s.errorf(ErrTooLarge, "batch %d takes %d bytes, the limit is %d", s.sent+1, total, s.c.BatchBytesMax)
	}
	s.sent++
	s.sizes, s.bytes = append(s.sizes, total), s.bytes+total
	room := s.c.PieceBytesMax - HeadBytes
	for offset := 0; offset < total; offset += room {
		// The head lies over the end of the piece before, which has been published.
		f := buf[offset:min(offset+s.c.PieceBytesMax, len(buf))]
		s.head(f, kindBatch)
		binary.BigEndian.PutUint64(f[restAt:], s.sent)
		binary.BigEndian.PutUint32(f[restAt+8:], uint32(total))
		binary.BigEndian.PutUint32(f[restAt+12:], uint32(offset))
		seal(f)
		if err := publish(f); err != nil {
			return err
		}
	}
	return nil
}

// Receive is told what came from the receiving end.
func (s *Sending) Receive(data []byte) error {
	f, ok, err := s.read(data)
	switch {
	case err != nil || !ok:
		return err
	case f.kind != kindGrant:
		return s.errorf(ErrForeign, "a frame of kind %d came to the sending end", f.kind)
	case f.seq > s.sent:
		return s.errorf(ErrForeign, "batch %d has come to the receiver, %d were sent", f.seq, s.sent)
	case f.probe == s.probe && f.probe > 0 && f.seq < s.probed:
		return s.errorf(ErrLost, "the receiver has %d of %d batches", f.seq, s.probed)
	}
	s.unanswered = 0
	s.settle(f.taken)
	s.limit = max(s.limit, f.limit)
	return nil
}

// settle forgets the batches up to taken.
func (s *Sending) settle(taken uint64) {
	if taken <= s.taken {
		return
	}
	n := int(taken - s.taken)
	for _, size := range s.sizes[:n] {
		s.bytes -= size
	}
	s.sizes = s.sizes[:copy(s.sizes, s.sizes[n:])]
	s.taken = taken
}

// Unsettled says whether a probe is due in a while: something sent has not been taken, or nothing has been heard yet.
func (s *Sending) Unsettled() bool { return s.taken < s.sent || s.limit == 0 }

// UnderWay is how many batches were sent and not taken, as far as grants have said.
func (s *Sending) UnderWay() int { return int(s.sent - s.taken) }

// Probe is a probe to be sent, valid until the next. It fails when too many have had no answer.
func (s *Sending) Probe() ([]byte, error) {
	if s.unanswered >= s.c.ProbesMax {
		return nil, s.errorf(ErrSilent, "%d probes; %d batches sent, %d known to be taken", s.unanswered, s.sent, s.taken)
	}
	s.unanswered++
	s.probe, s.probed = s.probe+1, s.sent
	f := s.small[:probeBytes]
	s.head(f, kindProbe)
	binary.BigEndian.PutUint64(f[restAt:], s.sent)
	binary.BigEndian.PutUint64(f[restAt+8:], s.probe)
	seal(f)
	return f, nil
}
