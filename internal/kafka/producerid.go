package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// ProducerID gets the id and epoch of a new idempotent producer.
func (c Cluster) ProducerID(ctx context.Context) (id int64, epoch int16, err error) {
	for try := 1; ; try++ {
		var errs []error
		for _, addr := range c.Brokers {
			if id, epoch, err = c.askProducerID(ctx, addr); err == nil || ctx.Err() != nil {
				return id, epoch, err
			}
			errs = append(errs, err)
		}
		// A cluster that is just starting hands out no ids yet.
		if err = errors.Join(errs...); !IsTransient(err) || try == settleTriesMax {
			return 0, 0, err
		}
		if err := pause(ctx, settleEvery); err != nil {
			return 0, 0, err
		}
	}
}

func (c Cluster) askProducerID(ctx context.Context, addr string) (int64, int16, error) {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	var res *sarama.InitProducerIDResponse
	err = conn.Do(ctx, func() (err error) {
		res, err = conn.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, ProducerID: -1, ProducerEpoch: -1})
		return err
	})
	if err == nil && res.Err != sarama.ErrNoError {
		err = res.Err
	}
	if err != nil {
		return 0, 0, fmt.Errorf("producer id from %q: %w", addr, err)
	}
	return res.ProducerID, res.ProducerEpoch, nil
}
