package lab

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"
)

func TestAListenerThatOpensLateIsAwaited(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	opened := make(chan net.Listener, 1)
	go func() {
		time.Sleep(30 * time.Millisecond)
		l, _ := net.Listen("tcp", addr)
		opened <- l
	}()
	err = awaitListener(context.Background(), addr)
	l := <-opened
	if l == nil {
		t.Fatal("the port was taken meanwhile")
	}
	defer l.Close()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAwaitingAListenerEnds(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := awaitListener(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		t.Error("nobody listens, and no error")
	}
}
