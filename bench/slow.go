package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// stallHalfway opens n connections that each promise a report, send half of
// it and then nothing more, until stop is called. One that the server closes
// is replaced, as a client that tries again would.
func stallHalfway(ctx context.Context, url string, n int) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	address := strings.TrimPrefix(url, "http://")
	for i := range n {
		conn, err := sendHalf(ctx, address, int64(i))
		if err != nil {
			cancel()
			return nil, fmt.Errorf("slow client %d: %w", i, err)
		}
		go keepStalled(ctx, conn, address, int64(i))
	}
	return cancel, nil
}

func sendHalf(ctx context.Context, address string, number int64) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	body := newReport(slowFirst+number, defaultProjects).appendJSON(nil)
	_, err = fmt.Fprintf(conn, "POST /save_metrics HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		address, len(body), body[:len(body)/2])
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func keepStalled(ctx context.Context, conn net.Conn, address string, number int64) {
	for ctx.Err() == nil {
		closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
		_, _ = conn.Read(make([]byte, 1)) // returns when either side closes, or on an answer
		closing()
		_ = conn.Close()
		time.Sleep(100 * time.Millisecond)
		next, err := sendHalf(ctx, address, number)
		if err != nil {
			return
		}
		conn = next
	}
	_ = conn.Close()
}
