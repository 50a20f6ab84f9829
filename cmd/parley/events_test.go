package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestFollow says that a broken connection loses and repeats nothing, and that a refusal ends the command.
func TestFollow(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if r.Header.Get("Authorization") != "Bearer k" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"who are you"}`)
			return
		}
		n := len(asked)
		for seq := 2*n - 1; seq <= 2*n; seq++ {
			fmt.Fprintf(w, ": \n\nid: %d\nevent: conference_updated\ndata: {\"seq\":%d,\"type\":\"conference_updated\",\"id\":\"x\"}\n\n", seq, seq)
		}
	}))
	defer server.Close()
	c := client{Server: server.URL, Key: "k"}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got []int64
	err := c.follow(ctx, -1, nil, func(e streamed) error {
		if got = append(got, e.Seq); len(got) == 4 {
			stop()
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []int64{1, 2, 3, 4}) || !slices.Equal(asked, []string{"", "after=2"}) {
		t.Errorf("%v, %v, %q", err, got, asked)
	}
	c.Key = "wrong"
	if err := c.follow(t.Context(), 0, nil, nil); !errors.As(err, new(refused)) {
		t.Error(err)
	}
	c.Key = "k"
	asked = nil
	if err := c.follow(t.Context(), 0, nil, func(streamed) error { return errors.New("full") }); err == nil || err.Error() != "full" {
		t.Error(err)
	}
}
