package discovery

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The resolver of the standard library does not tell how long an answer is good for, so the messages are exchanged here: with one server after
// the other, over UDP, over TCP when the answer is truncated (RFC 1035 section 4.2, RFC 7766).

const (
	dnsTimeout = 2 * time.Second // for one server
	dnsSize    = 1232            // of a UDP answer, as offered by EDNS (RFC 6891); what fits an IPv6 packet everywhere
	resolvConf = "/etc/resolv.conf"
)

// resolver asks the DNS.
type resolver struct {
	server string // host:port; "" means those of the system
}

type service struct {
	target                 string
	priority, weight, port uint16
}

// errNoName is the answer that there is no such name, or no such record.
var errNoName = errors.New("the name does not exist, or has no such record")

func (r *resolver) servers() []string {
	if r.server != "" {
		return []string{r.server}
	}
	f, err := os.Open(resolvConf)
	if err != nil {
		return []string{"127.0.0.1:53"}
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		word := strings.Fields(s.Text())
		if len(word) >= 2 && word[0] == "nameserver" {
			if ip, err := netip.ParseAddr(word[1]); err == nil {
				out = append(out, netip.AddrPortFrom(ip, 53).String())
			}
		}
	}
	if len(out) == 0 {
		return []string{"127.0.0.1:53"}
	}
	return out
}

// addresses asks for both families at a time. ttl is the shortest of all records that led to an address.
func (r *resolver) addresses(ctx context.Context, name string) (ips []netip.Addr, ttl time.Duration, err error) {
	type answer struct {
		ips []netip.Addr
		ttl time.Duration
		err error
	}
	answers := make(chan answer, 2)
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		go func() {
			var a answer
			records, err := r.ask(ctx, name, kind)
			a.err = err
			a.ttl = shortest(records)
			for _, x := range records {
				switch b := x.Body.(type) {
				case *dnsmessage.AResource:
					a.ips = append(a.ips, netip.AddrFrom4(b.A))
				case *dnsmessage.AAAAResource:
					a.ips = append(a.ips, netip.AddrFrom16(b.AAAA))
				}
			}
			answers <- a
		}()
	}
	ttl = time.Duration(1<<63 - 1)
	hard := false
	for range 2 {
		a := <-answers
		if len(a.ips) > 0 {
			ips = append(ips, a.ips...)
			ttl = min(ttl, a.ttl)
		} else if a.err != nil && (err == nil || !errors.Is(a.err, errNoName)) {
			err = a.err
			hard = hard || !errors.Is(a.err, errNoName)
		}
	}
	if len(ips) == 0 {
		if err == nil {
			err = errNoName
		}
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	if hard {
		// One family answered and the other did not: use what there is, and ask again soon.
		ttl = 0
	}
	return ips, ttl, nil
}

func (r *resolver) services(ctx context.Context, name string) (out []service, ttl time.Duration, err error) {
	records, err := r.ask(ctx, name, dnsmessage.TypeSRV)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	for _, x := range records {
		if b, ok := x.Body.(*dnsmessage.SRVResource); ok && b.Target.String() != "." {
			out = append(out, service{b.Target.String(), b.Priority, b.Weight, b.Port})
		}
	}
	if len(out) == 0 {
		return nil, 0, fmt.Errorf("%s: %w", name, errNoName)
	}
	return out, shortest(records), nil
}

func shortest(records []dnsmessage.Resource) time.Duration {
	ttl := time.Duration(1<<63 - 1)
	for _, x := range records {
		ttl = min(ttl, time.Duration(x.Header.TTL)*time.Second)
	}
	return ttl
}

// ask returns the answer section: records of the kind and the aliases that led to them.
func (r *resolver) ask(ctx context.Context, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, err
	}
	id := uint16(rand.Uint32())
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	var opt dnsmessage.ResourceHeader
	if err := opt.SetEDNS0(dnsSize, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	m.Additionals = []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{}}}
	query, err := m.Pack()
	if err != nil {
		return nil, err
	}
	var errs error
	for _, server := range r.servers() {
		a, err := exchange(ctx, server, query, &m.Questions[0], id)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("name server %s: %w", server, err))
			continue
		}
		switch a.RCode {
		case dnsmessage.RCodeSuccess:
			if len(a.Answers) == 0 {
				return nil, errNoName
			}
			return a.Answers, nil
		case dnsmessage.RCodeNameError:
			return nil, errNoName
		}
		errs = errors.Join(errs, fmt.Errorf("name server %s: %v", server, a.RCode))
	}
	return nil, errs
}

// exchange asks one server.
func exchange(ctx context.Context, server string, query []byte, q *dnsmessage.Question, id uint16) (*dnsmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	a, err := over(ctx, "udp", server, query, q, id)
	if err == nil && a.Truncated {
		return over(ctx, "tcp", server, query, q, id)
	}
	return a, err
}

func over(ctx context.Context, network, server string, query []byte, q *dnsmessage.Question, id uint16) (*dnsmessage.Message, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		query = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, 64<<10)
	for {
		b, err := receive(conn, network, buf)
		if err != nil {
			return nil, err
		}
		var m dnsmessage.Message
		if m.Unpack(b) != nil || !m.Response || m.ID != id || len(m.Questions) != 1 || m.Questions[0].Type != q.Type ||
			!strings.EqualFold(m.Questions[0].Name.String(), q.Name.String()) {
			if network == "tcp" {
				return nil, errors.New("not an answer to the question")
			}
			continue // anybody can send UDP: wait for the real one
		}
		return &m, nil
	}
}

func receive(conn net.Conn, network string, buf []byte) ([]byte, error) {
	if network == "udp" {
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(buf)
	_, err := io.ReadFull(conn, buf[:n])
	return buf[:n], err
}
