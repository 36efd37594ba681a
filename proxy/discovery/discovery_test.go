package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// zone is a name server for a test: records by name and type, over UDP and TCP on one port.
type zone struct {
	addr string

	mu       sync.Mutex
	records  map[string][]dnsmessage.Resource
	code     dnsmessage.RCode
	refuse   string // the name about which there is no answer now
	truncate bool
	forge    bool // every answer follows one to another question
	tcp      int
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{records: map[string][]dnsmessage.Resource{}}
	for { // the same port for both
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		ln, err := net.Listen("tcp", pc.LocalAddr().String())
		if err != nil {
			pc.Close()
			continue
		}
		z.addr = ln.Addr().String()
		t.Cleanup(func() { pc.Close(); ln.Close() })
		go z.udp(pc)
		go z.serveTCP(ln)
		return z
	}
}

func (z *zone) set(name string, ttl uint32, bodies ...dnsmessage.ResourceBody) {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.records)
	z.add(name, ttl, bodies...)
}

// with changes the zone, which answers meanwhile.
func (z *zone) with(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

func (z *zone) add(name string, ttl uint32, bodies ...dnsmessage.ResourceBody) {
	for _, b := range bodies {
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}
		switch b.(type) {
		case *dnsmessage.AResource:
			h.Type = dnsmessage.TypeA
		case *dnsmessage.AAAAResource:
			h.Type = dnsmessage.TypeAAAA
		case *dnsmessage.SRVResource:
			h.Type = dnsmessage.TypeSRV
		}
		key := name + h.Type.String()
		z.records[key] = append(z.records[key], dnsmessage.Resource{Header: h, Body: b})
	}
}

func (z *zone) answer(query []byte, tcp bool) [][]byte {
	z.mu.Lock()
	defer z.mu.Unlock()
	var q dnsmessage.Message
	if q.Unpack(query) != nil || len(q.Questions) != 1 {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RCode: z.code}, Questions: q.Questions}
	if tcp {
		z.tcp++
	}
	if q.Questions[0].Name.String() == z.refuse {
		m.RCode = dnsmessage.RCodeServerFailure
	} else if z.truncate && !tcp {
		m.Truncated = true
	} else {
		m.Answers = z.records[q.Questions[0].Name.String()+q.Questions[0].Type.String()]
	}
	var out [][]byte
	if z.forge && !tcp {
		f := m
		f.ID++
		f.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
			Body: &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}}}}
		b, _ := f.Pack()
		out = append(out, b)
	}
	b, _ := m.Pack()
	return append(out, b)
}

func (z *zone) udp(pc net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		for _, b := range z.answer(buf[:n], false) {
			_, _ = pc.WriteTo(b, from)
		}
	}
}

func (z *zone) serveTCP(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		head := make([]byte, 2)
		if _, err := io.ReadFull(c, head); err == nil {
			query := make([]byte, binary.BigEndian.Uint16(head))
			if _, err := io.ReadFull(c, query); err == nil {
				for _, b := range z.answer(query, true) {
					_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
				}
			}
		}
		_ = c.Close()
	}
}

func names(list []*endpoint.Endpoint) string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s/%d/%d", e.Name, e.Weight, e.Priority))
	}
	return strings.Join(out, " ")
}

func a(last byte) *dnsmessage.AResource { return &dnsmessage.AResource{A: [4]byte{10, 0, 0, last}} }

func (z *zone) finder(d cluster.Discovery) *Finder {
	d.Server, d.MinTTL, d.MaxTTL = z.addr, time.Second, time.Minute
	return New(&d, nil)
}

func TestAddressesWithTheirTTL(t *testing.T) {
	z := newZone(t)
	f := z.finder(cluster.Discovery{Kind: cluster.DiscoverDNS, Name: "api.test", Port: 8080})
	ctx := context.Background()
	z.set("api.test.", 30, a(2), a(1), &dnsmessage.AAAAResource{AAAA: [16]byte{0xfd, 15: 1}})
	found, next, err := f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:8080/1/0 10.0.0.2:8080/1/0 [fd00::1]:8080/1/0", names(found))
	require.Equal(t, 30*time.Second, next)
	z.set("api.test.", 0, a(1))
	_, next, err = f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Second, next, "not more often than that")
	z.set("api.test.", 86400, a(1))
	_, next, err = f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Minute, next, "not more rarely than that")
	z.set("other.test.", 1, a(1))
	_, next, err = f.Find(ctx)
	require.ErrorIs(t, err, errNoName)
	require.Equal(t, time.Second, next)
	z.with(func() { z.code = dnsmessage.RCodeServerFailure })
	_, _, err = f.Find(ctx)
	require.ErrorContains(t, err, z.addr)
}

func TestTruncatedAnswersAreAskedForOverTCP(t *testing.T) {
	z := newZone(t)
	z.with(func() {
		z.truncate = true
		for i := range byte(100) {
			z.add("api.test.", 30, a(i+1))
		}
	})
	found, _, err := z.finder(cluster.Discovery{Kind: cluster.DiscoverDNS, Name: "api.test", Port: 1}).Find(context.Background())
	require.NoError(t, err)
	require.Len(t, found, 100)
	z.with(func() { require.Positive(t, z.tcp) })
}

func TestForgedAnswersAreIgnored(t *testing.T) {
	z := newZone(t)
	z.with(func() { z.forge = true })
	z.set("api.test.", 30, a(1))
	found, _, err := z.finder(cluster.Discovery{Kind: cluster.DiscoverDNS, Name: "api.test", Port: 1}).Find(context.Background())
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:1/1/0", names(found))
}

func TestServices(t *testing.T) {
	z := newZone(t)
	z.with(func() {
		z.add("_http._tcp.api.test.", 20,
			&dnsmessage.SRVResource{Priority: 0, Weight: 3, Port: 81, Target: dnsmessage.MustNewName("one.test.")},
			&dnsmessage.SRVResource{Priority: 1, Weight: 0, Port: 82, Target: dnsmessage.MustNewName("two.test.")},
			&dnsmessage.SRVResource{Priority: 1, Weight: 0, Port: 83, Target: dnsmessage.MustNewName("gone.test.")})
		z.add("one.test.", 10, a(1))
		z.add("two.test.", 40, a(2))
	})
	found, next, err := z.finder(cluster.Discovery{Kind: cluster.DiscoverSRV, Name: "_http._tcp.api.test"}).Find(context.Background())
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:81/3/0 10.0.0.2:82/1/1", names(found))
	require.Equal(t, 10*time.Second, next)
}

// One target of which nobody knows anything now is not one that is gone.
func TestTargetOfAServiceThatIsNotAnswered(t *testing.T) {
	z := newZone(t)
	z.with(func() {
		z.add("_http._tcp.api.test.", 20,
			&dnsmessage.SRVResource{Port: 81, Target: dnsmessage.MustNewName("one.test.")},
			&dnsmessage.SRVResource{Port: 82, Target: dnsmessage.MustNewName("two.test.")})
		z.add("one.test.", 10, a(1))
		z.add("two.test.", 40, a(2))
	})
	for _, stale := range []time.Duration{0, time.Hour, time.Nanosecond} {
		f := z.finder(cluster.Discovery{Kind: cluster.DiscoverSRV, Name: "_http._tcp.api.test", StaleFor: stale})
		_, _, err := f.Find(context.Background())
		require.NoError(t, err)
		z.with(func() { z.refuse = "two.test." })
		want, soon := "10.0.0.1:81/1/0 10.0.0.2:82/1/0", time.Second
		if stale == time.Nanosecond {
			want, soon = "10.0.0.1:81/1/0", 10*time.Second
		}
		for range 2 {
			found, next, err := f.Find(context.Background())
			require.NoError(t, err)
			require.Equal(t, want, names(found))
			require.Equal(t, soon, next)
		}
		z.with(func() { z.refuse = "" })
		found, next, err := f.Find(context.Background())
		require.NoError(t, err)
		require.Equal(t, "10.0.0.1:81/1/0 10.0.0.2:82/1/0", names(found))
		require.Equal(t, 10*time.Second, next)
	}
}

func TestNobodyAnswers(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer pc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	f := New(&cluster.Discovery{Kind: cluster.DiscoverDNS, Name: "api.test", Port: 1, Server: pc.LocalAddr().String(), MinTTL: time.Second, MaxTTL: time.Second}, nil)
	_, _, err = f.Find(ctx)
	require.Error(t, err)
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "list")
	broken := errors.New("broken")
	f := New(&cluster.Discovery{Kind: cluster.DiscoverFile, Path: name, MinTTL: time.Second}, func(b []byte) (out []*endpoint.Endpoint, err error) {
		for _, word := range strings.Fields(string(b)) {
			if word == "broken" {
				return nil, broken
			}
			out = append(out, endpoint.New(word, loop.Addr{}, 1))
		}
		return out, nil
	})
	ctx := context.Background()
	_, _, err := f.Find(ctx)
	require.ErrorIs(t, err, os.ErrNotExist)
	write := func(text string, at int64) {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(name, time.Unix(at, 0), time.Unix(at, 0)))
	}
	write("b a a", 1)
	found, _, err := f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, "a/1/0 b/1/0", names(found))
	found, _, err = f.Find(ctx)
	require.ErrorIs(t, err, ErrUnchanged)
	require.Len(t, found, 2)
	write("broken", 2)
	_, _, err = f.Find(ctx)
	require.ErrorIs(t, err, broken)
	write("", 3)
	found, _, err = f.Find(ctx)
	require.NoError(t, err, "an empty list is a list")
	require.Empty(t, found)

	// Two changes within one step of the file system's clock, with the same size.
	now := time.Now()
	for _, text := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(name, now, now))
		found, _, err = f.Find(ctx)
		require.NoError(t, err)
		require.Equal(t, text+"/1/0", names(found))
	}
	_, _, err = f.Find(ctx)
	require.ErrorIs(t, err, ErrUnchanged)
	// Another file in its place, however alike, as a link to it would be.
	write("c", 4)
	_, _, err = f.Find(ctx)
	require.NoError(t, err)
	require.NoError(t, os.Rename(name, name+".old"))
	write("d", 4)
	found, _, err = f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, "d/1/0", names(found))
	// One that was away is read again.
	require.NoError(t, os.Rename(name, name+".old"))
	_, _, err = f.Find(ctx)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Rename(name+".old", name))
	found, _, err = f.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, "d/1/0", names(found))
}
