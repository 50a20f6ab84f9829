package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// asking are the flags of commands that ask a running server and print the answer.
type asking struct {
	Client
	JSON bool `name:"json" help:"Print the server's answer as JSON."`
}

// answerTime is how long a command waits for an answer.
const answerTime = 30 * time.Second

// ask sends a request and decodes the answer into to, where that is not nil. With --json the answer itself is printed too, and printed
// is true.
func (c *asking) ask(method, path string, body, to any) (printed bool, err error) {
	text, err := c.fetch(method, path, body)
	if err != nil {
		return false, err
	}
	if to != nil {
		if err := json.Unmarshal(text, to); err != nil {
			return false, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
		}
	}
	if !c.JSON {
		return false, nil
	}
	_, err = fmt.Println(strings.TrimSpace(string(text)))
	return true, err
}

func (c *asking) fetch(method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	r, err := c.Request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	res, err := Send(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// pages are the items of a list, page by page, most of them at most.
func pages[T any](c *asking, path string, q url.Values, most int) ([]T, error) {
	all := []T{}
	for {
		var page struct {
			Result []T
			Next   string `json:"next_page_token"`
		}
		text, err := c.fetch(http.MethodGet, path+"?"+q.Encode(), nil)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("read the list %s: %w", path, err)
		}
		all = append(all, page.Result...)
		if page.Next == "" || len(page.Result) == 0 || len(all) >= most {
			return all[:min(len(all), most)], nil
		}
		q.Set("page_token", page.Next)
	}
}

// raw is an item as the server told it, for --json, beside what a table needs of it.
type raw[T any] struct {
	text json.RawMessage
	T    T
}

// UnmarshalJSON keeps the text.
func (r *raw[T]) UnmarshalJSON(text []byte) error {
	r.text = append(json.RawMessage(nil), text...)
	return json.Unmarshal(text, &r.T)
}

// MarshalJSON gives the text back.
func (r raw[T]) MarshalJSON() ([]byte, error) { return r.text, nil }

// printJSON prints a value on one line.
func printJSON(v any) error {
	return json.NewEncoder(os.Stdout).Encode(v)
}

// table prints rows under a head; of no rows it says so on standard error, so that pipes stay clean.
func table(head string, rows [][]string, none string) error {
	if len(rows) == 0 {
		fmt.Fprintln(os.Stderr, none)
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(head), "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = cmp.Or(plain(row[i]), "-")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// plain takes out of a text, which a caller may have chosen, what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			return -1
		}
		return r
	}, s)
}

// age is how long ago, or until when, in one or two units.
func age(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	d := to.Sub(from).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// given says whether an id of the API names something.
func given(id string) bool {
	return id != "" && id != "00000000-0000-0000-0000-000000000000"
}

// resolve finds the one id that a word means: a whole id, or the beginning of one.
func resolve(what, word string, ids []string) (string, error) {
	var found []string
	for _, id := range ids {
		if id == word {
			return id, nil
		}
		if strings.HasPrefix(id, strings.ToLower(word)) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("there is no %s %q: 'parley %ss' lists them", what, word, what)
	}
	return "", fmt.Errorf("%d %ss begin with %q: give more of the id", len(found), what, word)
}
