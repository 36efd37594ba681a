package target

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Balancer is a target that can stand before several endpoints, some of which are in trouble. RenderBalanced fills in a configuration with the same
// settings for all, as near as each comes to them:
//
//   - requests in turn to Plan.Endpoints; a connection stands within 200 ms or not at all, an answer has begun within 250 ms or another endpoint is
//     asked, three more at most, for requests that may be repeated;
//   - a check of /ready every 100 ms, of 200 ms at most, where the program has active checks: two failures take an endpoint out, two successes back in;
//   - an endpoint that fails for real requests is left out for a time of half a second to a second, where the program can.
//
// Retries is how many attempts after the first ones the target counts. ok is false if it does not tell; dial opens a connection from where it runs.
type Balancer interface {
	Target
	RenderBalanced(Plan) (Launch, error)
	Retries(ctx context.Context, p Plan, dial Dial) (n int64, ok bool)
}

// Dial opens a TCP connection.
type Dial func(ctx context.Context, addr string) (net.Conn, error)

// Balanced is the target with its other configuration.
func Balanced(b Balancer) Target { return balanced{b} }

type balanced struct{ Balancer }

func (b balanced) Render(p Plan) (Launch, error) { return b.RenderBalanced(p) }

// Page fetches a page of text from an address of the target.
func Page(ctx context.Context, dial Dial, addr, path string) (string, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if d, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(d); err != nil {
			return "", err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	if err := req.Write(c); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", res.Status)
	}
	return strings.TrimSpace(string(b)), err
}
