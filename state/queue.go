package state

const segmentLen = 512

// fifo is a queue in segments: it grows without copying what is in it, and segments are used again.
type fifo[T any] struct {
	segments [][]T // each of segmentLen; the first holds the head, the last the tail
	spare    [][]T
	head     int // in the first segment
	tail     int // in the last segment
}

func (q *fifo[T]) push(v T) {
	if len(q.segments) == 0 || q.tail == segmentLen {
		var seg []T
		if n := len(q.spare); n > 0 {
			seg, q.spare = q.spare[n-1], q.spare[:n-1]
		} else {
			seg = make([]T, segmentLen)
		}
		q.segments = append(q.segments, seg)
		q.tail = 0
	}
	q.segments[len(q.segments)-1][q.tail] = v
	q.tail++
}

func (q *fifo[T]) empty() bool {
	return len(q.segments) == 0 || len(q.segments) == 1 && q.head == q.tail
}

// peek is the oldest; the queue must not be empty.
func (q *fifo[T]) peek() T { return q.segments[0][q.head] }

func (q *fifo[T]) pop() T {
	v := q.segments[0][q.head]
	q.head++
	if q.head == segmentLen || len(q.segments) == 1 && q.head == q.tail {
		if len(q.spare) < 16 {
			q.spare = append(q.spare, q.segments[0])
		}
		q.segments[0] = nil
		q.segments = q.segments[1:]
		q.head = 0
	}
	return v
}
