//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mostMemory is the bound for a whole gateway process, whatever passes through it.
const mostMemory = 64 << 20

// pattern is a stream of blocks that differ in their number: nothing can be lost, repeated or moved without being noticed.
type pattern struct {
	block [256 << 10]byte
	n     uint64
	rest  []byte
	left  int64
}

func newPattern(size int64) *pattern {
	p := &pattern{left: size}
	r := rand.New(rand.NewPCG(7, 11))
	for i := range p.block {
		p.block[i] = byte(r.Uint32())
	}
	return p
}

func (p *pattern) next() []byte {
	copy(p.block[:], fmt.Sprintf("%016x", p.n))
	p.n++
	return p.block[:]
}

// Read implements io.Reader.
func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if len(p.rest) == 0 {
		p.rest = p.next()
	}
	n := copy(b, p.rest[:min(int64(len(p.rest)), p.left)])
	p.rest = p.rest[n:]
	p.left -= int64(n)
	return n, nil
}

// check reads size bytes of the pattern and the end from r.
func check(r io.Reader, size int64) error {
	want := newPattern(size)
	got := make([]byte, len(want.block))
	for read := int64(0); read < size; {
		b := got[:min(int64(len(got)), size-read)]
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("after %d bytes: %w", read, err)
		}
		if !bytes.Equal(b, want.next()[:len(b)]) {
			return fmt.Errorf("wrong bytes after %d", read)
		}
		read += int64(len(b))
	}
	if n, err := io.Copy(io.Discard, r); n != 0 || err != nil {
		return errors.Join(fmt.Errorf("%d bytes more than there should be", n), err)
	}
	return nil
}

func TestGigabyteDownAndUpWithConstantMemory(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 256 << 20
	}
	engines(t, func(t *testing.T, engine string) {
		up := make(chan error, 1)
		p := start(t, "serve", "--config", file(t, proxy(engine, origin(t, func(w http.ResponseWriter, r *http.Request) {
			size := size
			if r.URL.Path == "/chunked" {
				size /= 4
			}
			if r.Method == http.MethodPut {
				up <- check(r.Body, size)
				return
			}
			if r.URL.Path != "/chunked" {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			_, _ = io.CopyBuffer(struct{ io.Writer }{w}, newPattern(size), make([]byte, 256<<10))
		}))))
		c := &http.Client{Timeout: 60 * time.Second}
		defer c.CloseIdleConnections()
		for path, size := range map[string]int64{"/length": size, "/chunked": size / 4} {
			res, err := c.Get("http://" + p.addr + path)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
			require.NoError(t, check(res.Body, size), path)
			res.Body.Close()

			req, err := http.NewRequest(http.MethodPut, "http://"+p.addr+path, struct{ io.Reader }{newPattern(size)})
			require.NoError(t, err)
			if path == "/length" {
				req.ContentLength = size
			}
			res, err = c.Do(req)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
			res.Body.Close()
			require.NoError(t, <-up, path)
		}
		peak := p.peak()
		t.Logf("%d MiB each way: peak of resident memory %.1f MiB", size>>20, float64(peak)/(1<<20))
		require.Less(t, peak, int64(mostMemory))
	})
}
