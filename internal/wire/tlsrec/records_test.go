package tlsrec

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alertOf opens what a Conn left pending with its peer's key and returns the alert in it.
func alertOf(t testing.TB, from, to *Conn) Alert {
	t.Helper()
	out := from.AppendPending(nil)
	require.NotEmpty(t, out, "no alert was sent")
	typ, content, a := to.in.open(out)
	require.Equal(t, alertNone, a)
	require.Equal(t, typeAlert, typ)
	require.Equal(t, levelFatal, content[0])
	return Alert(content[1])
}

// refused wants input to end the connection with an alert, now and at every later call, and no content.
func refused(t testing.TB, s, c *Conn, input []byte, want Alert) {
	t.Helper()
	_, ev, err := s.Receive(input)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Alert, e.Error())
	require.False(t, e.Received)
	require.Empty(t, ev.Data)
	require.Equal(t, want, alertOf(t, s, c))
	_, ev, again := s.Receive(input)
	require.Same(t, e, again)
	require.Empty(t, ev.Data)
	_, err = s.Seal(nil, []byte("x"))
	require.Error(t, err)
	require.Zero(t, s.in.secret, "keys are gone")
}

func TestEveryByteCorrupted(t *testing.T) {
	for _, id := range suiteIDs {
		_, c := bare13(t, id)
		good := must(c.Seal(nil, payload(40)))
		for i := range good {
			for _, flip := range []byte{1, 0x80} {
				s, c := bare13(t, id)
				rec := bytes.Clone(good)
				rec[i] ^= flip
				n, ev, err := s.Receive(rec)
				require.Empty(t, ev.Data)
				if err == nil {
					// A length that became larger: the record is not there yet. Once it is, it is refused.
					require.Contains(t, []int{3, 4}, i)
					require.Equal(t, NeedMore, ev.Kind)
					require.Zero(t, n)
					require.Greater(t, ev.Need, len(rec))
					rec = append(rec, make([]byte, ev.Need-len(rec))...)
				}
				want := AlertBadRecordMAC
				switch {
				case i == 0:
					want = AlertUnexpectedMessage
				case i == 3 && flip == 0x80:
					want = AlertRecordOverflow
				}
				s, _ = bare13(t, id)
				rec2 := bytes.Clone(good)
				rec2[i] ^= flip
				refused(t, s, c, append(rec2, rec[len(good):]...), want)
			}
		}
	}
}

func TestRecordSplitAndTruncatedAtEveryByte(t *testing.T) {
	for _, id := range suiteIDs {
		_, c := bare13(t, id)
		good := must(c.Seal(nil, payload(30)))
		for i := range good {
			s, _ := bare13(t, id)
			part := bytes.Clone(good)
			n, ev, err := s.Receive(part[:i])
			require.NoError(t, err)
			require.Zero(t, n)
			want := HeaderLen
			if i >= HeaderLen {
				want = len(good)
			}
			require.Equal(t, Event{Kind: NeedMore, Need: want}, ev)
			require.Error(t, s.EOF(), "the transport ended here: content is missing")
			n, ev, err = s.Receive(part)
			require.NoError(t, err)
			require.Equal(t, len(part), n)
			require.Equal(t, payload(30), ev.Data)
			require.Same(t, &part[HeaderLen], &ev.Data[0], "decrypted in place")
		}
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	raw := func(typ byte, n int) []byte {
		return append([]byte{typ, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...)
	}
	// inner seals bytes that are content, type and padding together.
	inner := func(c *Conn, plain []byte) []byte {
		rec := raw(typeApplicationData, len(plain)+tagLen)
		c.out.aead.Seal(rec[HeaderLen:HeaderLen], c.out.nextNonce(), plain, rec[:HeaderLen])
		c.out.seq++
		return rec
	}
	seal := func(typ byte, content ...byte) func(c *Conn) []byte {
		return func(c *Conn) []byte { return c.out.seal(nil, content, typ) }
	}
	then := func(parts ...func(c *Conn) []byte) func(c *Conn) []byte {
		return func(c *Conn) (b []byte) {
			for _, p := range parts {
				b = append(b, p(c)...)
			}
			return b
		}
	}
	many := func(n int, p func(c *Conn) []byte) func(c *Conn) []byte {
		return func(c *Conn) (b []byte) {
			for range n {
				b = append(b, p(c)...)
			}
			return b
		}
	}
	cases := []struct {
		name string
		make func(c *Conn) []byte
		want Alert
	}{
		{"oversize", func(*Conn) []byte { return raw(typeApplicationData, maxCiphertext+1) }, AlertRecordOverflow},
		{"oversize, header alone", func(*Conn) []byte { return raw(typeApplicationData, maxCiphertext+1)[:HeaderLen] }, AlertRecordOverflow},
		{"empty", func(*Conn) []byte { return raw(typeApplicationData, 0) }, AlertBadRecordMAC},
		{"a tag and no type", func(*Conn) []byte { return raw(typeApplicationData, tagLen) }, AlertBadRecordMAC},
		{"garbage", func(*Conn) []byte { return raw(typeApplicationData, 100) }, AlertBadRecordMAC},
		{"change_cipher_spec", func(*Conn) []byte { return []byte{20, 3, 3, 0, 1, 1} }, AlertUnexpectedMessage},
		{"alert in the clear", func(*Conn) []byte { return []byte{21, 3, 3, 0, 2, 2, 0} }, AlertUnexpectedMessage},
		{"handshake in the clear", func(*Conn) []byte { return raw(typeHandshake, 100) }, AlertUnexpectedMessage},
		{"unknown type outside", func(*Conn) []byte { return raw(99, 100) }, AlertUnexpectedMessage},
		{"plain HTTP", func(*Conn) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, AlertUnexpectedMessage},
		{"the same record twice", func(c *Conn) []byte { b := seal(typeApplicationData)(c); return append(b, b...) }, AlertBadRecordMAC},
		{"records out of order", func(c *Conn) []byte { _ = seal(typeApplicationData, 1)(c); return seal(typeApplicationData, 2)(c) }, AlertBadRecordMAC},
		{"only padding", func(c *Conn) []byte { return inner(c, make([]byte, 20)) }, AlertUnexpectedMessage},
		{"too much content", func(c *Conn) []byte { return inner(c, append(make([]byte, MaxPlaintext+1), 23)) }, AlertRecordOverflow},
		{"too much padding", func(c *Conn) []byte { return inner(c, append([]byte{1, 23}, make([]byte, MaxPlaintext)...)) }, AlertRecordOverflow},
		{"unknown type inside", seal(99, 1), AlertUnexpectedMessage},
		{"change_cipher_spec inside", seal(typeChangeCipherSpec, 1), AlertUnexpectedMessage},
		{"empty alert", seal(typeAlert), AlertDecodeError},
		{"half an alert", seal(typeAlert, 2), AlertDecodeError},
		{"two alerts", seal(typeAlert, 1, 0, 1, 0), AlertDecodeError},
		{"empty handshake record", seal(typeHandshake), AlertUnexpectedMessage},
		{"ClientHello again", seal(typeHandshake, 1, 0, 0, 0), AlertUnexpectedMessage},
		{"a ticket for the server", seal(typeHandshake, messageTicket, 0, 0, 0), AlertUnexpectedMessage},
		{"a certificate", seal(typeHandshake, 11, 0, 0, 0), AlertUnexpectedMessage},
		{"empty KeyUpdate", seal(typeHandshake, messageKeyUpdate, 0, 0, 0), AlertDecodeError},
		{"long KeyUpdate", seal(typeHandshake, messageKeyUpdate, 0, 0, 2, 0, 0), AlertDecodeError},
		{"huge KeyUpdate", seal(typeHandshake, messageKeyUpdate, 255, 255, 255), AlertDecodeError},
		{"KeyUpdate 2", seal(typeHandshake, messageKeyUpdate, 0, 0, 1, 2), AlertIllegalParameter},
		{"two KeyUpdates in a record", seal(typeHandshake, messageKeyUpdate, 0, 0, 1, 0, messageKeyUpdate, 0, 0, 1, 0), AlertUnexpectedMessage},
		{"data within a message", then(seal(typeHandshake, messageKeyUpdate, 0), seal(typeApplicationData, 1)), AlertUnexpectedMessage},
		{"alert within a message", then(seal(typeHandshake, messageKeyUpdate, 0), seal(typeAlert, 1, 0)), AlertUnexpectedMessage},
		{"old key after KeyUpdate", then(seal(typeHandshake, messageKeyUpdate, 0, 0, 1, 0), seal(typeApplicationData, 1)), AlertBadRecordMAC},
		{"empty records without end", many(maxUseless+1, seal(typeApplicationData)), AlertUnexpectedMessage},
		{"user_canceled without end", many(maxUseless+1, seal(typeAlert, 1, 90)), AlertUnexpectedMessage},
		{"KeyUpdate without end", many(maxUseless+1, func(c *Conn) []byte { b, _ := c.updateKeys(nil, true); return b }), AlertUnexpectedMessage},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
			before := s.out
			input := tc.make(c)
			if s.Pending() > 0 {
				t.Fatal("nothing can be pending yet")
			}
			if tc.name == "KeyUpdate without end" {
				// The server has answered the first request and sends the alert under the next key.
				_, _, err := s.Receive(input)
				require.Error(t, err)
				out := s.AppendPending(nil)
				_, _, err = c.Receive(out)
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "remote_unexpected_message", e.Code)
				assert.Len(t, out, 2*Overhead+5+2, "one KeyUpdate and the alert")
				return
			}
			c.in = before
			refused(t, s, c, input, tc.want)
		})
	}
}

func TestPaddingAndEmptyRecords(t *testing.T) {
	s, c := bare13(t, tls.TLS_CHACHA20_POLY1305_SHA256)
	plain := append([]byte("padded\x17"), make([]byte, 100)...)
	rec := append([]byte{23, 3, 3, 0, byte(len(plain) + tagLen)}, make([]byte, len(plain)+tagLen)...)
	c.out.aead.Seal(rec[HeaderLen:HeaderLen], c.out.nextNonce(), plain, rec[:HeaderLen])
	c.out.seq++
	for range maxUseless {
		rec = c.out.seal(rec, nil, typeApplicationData)
	}
	rec = c.out.seal(rec, []byte("!"), typeApplicationData)
	assert.Equal(t, "padded!", string(opened(t, s, rec)))
}

func TestAlerts(t *testing.T) {
	s, c := bare13(t, tls.TLS_AES_256_GCM_SHA384)
	rec := c.out.seal(nil, []byte{1, byte(AlertUserCanceled)}, typeAlert)
	c.CloseNotify()
	c.CloseNotify()
	rec = c.AppendPending(rec)
	_, err := c.Seal(nil, []byte("late"))
	require.ErrorIs(t, err, errNoRoom)
	rec = append(rec, "what comes after close_notify is ignored"...)
	n, ev, err := s.Receive(rec)
	require.NoError(t, err)
	assert.Equal(t, Closed, ev.Kind)
	assert.Equal(t, len(rec), n)
	require.NoError(t, s.EOF())
	// The other direction is still open.
	assert.Equal(t, "still here", string(opened(t, c, must(s.Seal(nil, []byte("still here"))))))
	s.CloseNotify()
	_, ev, err = c.Receive(s.AppendPending(nil))
	require.NoError(t, err)
	assert.Equal(t, Closed, ev.Kind)

	s, c = bare13(t, tls.TLS_AES_256_GCM_SHA384)
	_, _, err = s.Receive(c.out.seal(nil, []byte{2, 48}, typeAlert))
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Received)
	assert.Equal(t, "remote_unknown_ca", e.Code)
	assert.Contains(t, e.Error(), "does not accept our certificate")
	assert.Zero(t, s.Pending(), "an alert is not answered")
	assert.Equal(t, "alert 200", Alert(200).String())
}

// A client learns whether an alert is the first that an established server says.
func TestFirstAlert(t *testing.T) {
	before := map[string]func(s *Conn) []byte{
		"nothing": func(*Conn) []byte { return nil },
		"a ticket": func(s *Conn) []byte {
			return s.out.seal(nil, append([]byte{messageTicket, 0, 1, 0}, make([]byte, 256)...), typeHandshake)
		},
		"content":  func(s *Conn) []byte { return must(s.Seal(nil, []byte("x"))) },
		"new keys": func(s *Conn) []byte { return must(s.updateKeys(nil, false)) },
	}
	for name, first := range before {
		s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
		rec := first(s)
		rec = s.out.seal(rec, []byte{2, 42}, typeAlert)
		var err error
		for n := 0; err == nil; rec = rec[n:] {
			n, _, err = c.Receive(rec)
		}
		var e *Error
		require.ErrorAs(t, err, &e, name)
		assert.True(t, e.Received, name)
		assert.Equal(t, name == "nothing", e.First, name)
	}
}

func TestClientTakesTicketsInPieces(t *testing.T) {
	ticket := append([]byte{messageTicket, 0, 1, 0}, make([]byte, 256)...)
	three := append(append(bytes.Clone(ticket), ticket...), ticket...)
	for i := 1; i < len(three); i += 11 {
		s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
		rec := s.out.seal(nil, three[:i], typeHandshake)
		rec = s.out.seal(rec, three[i:], typeHandshake)
		rec = s.out.seal(rec, []byte("x"), typeApplicationData)
		require.Equal(t, "x", string(opened(t, c, rec)))
		require.Empty(t, c.message)
	}
	s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
	refused(t, c, s, s.out.seal(nil, []byte{messageTicket, 2, 0, 0}, typeHandshake), AlertDecodeError)
}

func TestKeyUpdates(t *testing.T) {
	s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
	// In pieces, with a request.
	rec := c.out.seal(nil, []byte{messageKeyUpdate, 0, 0}, typeHandshake)
	rec = c.out.seal(rec, []byte{1, 1}, typeHandshake)
	require.NoError(t, c.out.update())
	assert.Empty(t, opened(t, s, rec))
	assert.Equal(t, Overhead+5, s.Pending(), "the answer")
	// The answer goes out before content.
	out := must(s.Seal(nil, []byte("content")))
	assert.Zero(t, s.Pending())
	assert.Equal(t, "content", string(opened(t, c, out)))
	// A second request is answered anew.
	require.NoError(t, c.UpdateKeys(true))
	assert.Empty(t, opened(t, s, c.AppendPending(nil)))
	assert.Equal(t, "more", string(opened(t, c, must(s.Seal(nil, []byte("more"))))))
	// Without a request there is no answer.
	require.NoError(t, c.UpdateKeys(false))
	assert.Equal(t, "y", string(opened(t, s, must(c.Seal(nil, []byte("y"))))))
	assert.Zero(t, s.Pending())
	// After close_notify nothing may be answered.
	s.CloseNotify()
	s.AppendPending(nil)
	require.NoError(t, c.UpdateKeys(true))
	assert.Empty(t, opened(t, s, c.AppendPending(nil)))
	assert.Zero(t, s.Pending())
	require.Error(t, s.UpdateKeys(true))
}

func TestKeysAreUsedOnlySoOften(t *testing.T) {
	s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
	limited := *c.out.suite
	limited.records = 3
	c.out.suite = &limited
	first := c.out.secret
	for i := range 10 {
		want := fmt.Sprint("record ", i)
		buf := make([]byte, 0, 200)
		content := append(buf[:HeaderLen], want...)[HeaderLen:]
		assert.Equal(t, want, string(opened(t, s, must(c.Seal(buf, content)))), "sealed in place")
		assert.LessOrEqual(t, c.out.seq, limited.records)
	}
	assert.NotEqual(t, first, c.out.secret)

	s, c = bare13(t, tls.TLS_CHACHA20_POLY1305_SHA256)
	s.in.seq, c.out.seq = math.MaxUint64, math.MaxUint64
	rec := c.out.seal(nil, []byte("x"), typeApplicationData)
	refused(t, s, c, rec, AlertInternalError)
}

func TestSealInPlaceAndAppending(t *testing.T) {
	for _, id := range suiteIDs {
		s, c := bare13(t, id)
		buf := make([]byte, 3, 3+1000+Overhead)
		content := append(buf[:3+HeaderLen], payload(1000)...)[3+HeaderLen:]
		out, err := c.Seal(buf, content)
		require.NoError(t, err)
		require.Same(t, &buf[0], &out[0], "exactly enough room")
		require.Equal(t, payload(1000), opened(t, s, out[3:]))
		out = must(c.Seal([]byte("head"), []byte("x")))
		require.Equal(t, "head", string(out[:4]), "what was there stays")
		require.Equal(t, "x", string(opened(t, s, out[4:])))
		out = must(c.Seal([]byte("head"), nil))
		require.Equal(t, "head", string(out), "no content, no record")
	}
}

func TestRecordSizes(t *testing.T) {
	s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
	c.sizer = Sizer{Small: 1000, After: 2500}
	sizes := func(b []byte) (n []int) {
		for len(b) > 0 {
			size, _ := wholeRecord(b)
			n = append(n, size-Overhead)
			b = b[size:]
		}
		return n
	}
	out := must(c.Seal(nil, payload(40_000)))
	assert.Equal(t, []int{1000, 1000, 1000, MaxPlaintext, MaxPlaintext, 40_000 - 3000 - 2*MaxPlaintext}, sizes(out))
	assert.Equal(t, payload(40_000), opened(t, s, out))
	c.Sizer().Idle()
	assert.Equal(t, []int{1000, 200}, sizes(must(c.Seal(nil, payload(1200)))))
	for _, z := range []Sizer{{}, {Small: -1, After: 10}, {Small: MaxPlaintext + 1, After: 10}, {Small: 10}} {
		assert.Equal(t, MaxPlaintext, z.Next())
	}
}

func TestIsTLS(t *testing.T) {
	for _, tc := range []struct {
		in           string
		isTLS, known bool
	}{
		{"", false, false}, {"\x16", false, false}, {"\x16\x03", true, true}, {"\x16\x03\x01\x02", true, true},
		{"\x16\x02", false, true}, {"G", false, true}, {"PRI", false, true}, {"\x80\x2e", false, true}, {"\x15\x03", false, true},
	} {
		isTLS, known := IsTLS([]byte(tc.in))
		assert.Equal(t, []bool{tc.isTLS, tc.known}, []bool{isTLS, known}, "%q", tc.in)
	}
}

func TestClosedAndEarlyUse(t *testing.T) {
	c := Server(serverConfig(), Options{})
	_, err := c.Seal(nil, []byte("x"))
	require.ErrorIs(t, err, errEarly)
	require.Error(t, c.UpdateKeys(false))
	c.CloseNotify()
	assert.Zero(t, c.Pending())
	var e *Error
	require.ErrorAs(t, c.EOF(), &e)
	assert.Equal(t, "handshake_eof", e.Code)
	c.Close()
	c.Close()
	_, _, err = c.Receive([]byte("x"))
	require.ErrorIs(t, err, errClosed)
	_, err = c.Seal(nil, nil)
	require.True(t, errors.Is(err, errClosed))
	_, _, err = Server(nil, Options{}).Receive(nil)
	require.Error(t, err)
	_, err = suiteByID(0x1304)
	require.Error(t, err)
}
