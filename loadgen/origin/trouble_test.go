package origin

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTrouble(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e, func(t *testing.T) {
			s, err := New(Options{Address: netip.MustParseAddrPort("127.0.0.1:0"), BodySize: 10, Engine: e})
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- s.Run() }()
			defer func() {
				s.Stop()
				require.NoError(t, <-done)
			}()
			c := httpClient(t)
			get := func() (time.Duration, error) {
				began := time.Now()
				res, err := c.Get("http://" + s.Addr().String() + "/")
				if err != nil {
					return 0, err
				}
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				require.Len(t, b, 10)
				return time.Since(began), err
			}
			_, err = get()
			require.NoError(t, err)
			s.Toggle(Slow)
			d, err := get()
			require.NoError(t, err)
			require.GreaterOrEqual(t, d, SlowBy)
			s.Toggle(Slow)
			c.CloseIdleConnections()
			s.Toggle(Resetting)
			_, err = get()
			require.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
			s.Toggle(Resetting)
			_, err = get()
			require.NoError(t, err)
		})
	}
}
