package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/IBM/sarama"
)

// BrokerSetting is the value of one of a broker's settings; false when the user may not read it.
func (c Cluster) BrokerSetting(ctx context.Context, name string) (value string, ok bool, err error) {
	m, err := c.metadata(ctx, nil)
	if err != nil {
		return "", false, err
	}
	for id, addr := range m.addrs {
		if value, ok, err = c.askSetting(ctx, id, addr, name); err == nil {
			return value, ok, nil
		}
		err = fmt.Errorf("settings of %q: %w", addr, err)
	}
	return "", false, err
}

func (c Cluster) askSetting(ctx context.Context, id int32, addr, name string) (value string, ok bool, err error) {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return "", false, err
	}
	defer conn.Close()
	var res *sarama.DescribeConfigsResponse
	err = conn.Do(ctx, func() (err error) {
		res, err = conn.DescribeConfigs(&sarama.DescribeConfigsRequest{
			Version:   4,
			Resources: []*sarama.ConfigResource{{Type: sarama.BrokerResource, Name: strconv.Itoa(int(id)), ConfigNames: []string{name}}},
		})
		return err
	})
	if err != nil {
		return "", false, err
	}
	for _, r := range res.Resources {
		if r.ErrorCode != int16(sarama.ErrNoError) {
			return "", false, nil
		}
		for _, e := range r.Configs {
			if e.Name == name {
				return e.Value, true, nil
			}
		}
	}
	return "", false, nil
}
