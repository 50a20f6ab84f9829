// Package history answers what was: the whole story of a conference, of a call or a flow, and the state of a conference at any time. It reads
// the log and nothing else, and starts no goroutine.
package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// storyMax is how many events of one resource are told; of longer stories the newest.
const storyMax = 20_000

// History reads the log of a store.
type History struct{ store store.Store }

// New returns the history in st.
func New(st store.Store) *History { return &History{st} }

// Routes returns the routes of history.
func (h *History) Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/conferences/{id}/timeline", Do: h.conference},
		{Method: "GET", Path: "/timelines/{resource_type}/{resource_id}/events", Do: h.resource},
		{Method: "GET", Path: "/aggregated-events", Do: h.aggregated},
		{Method: "GET", Path: "/conferencecalls/{id}/explain", Do: h.participant},
		{Method: "GET", Path: "/calls/{id}/explain", Do: h.call},
	}
}

// told is an event as the original's timelines write it, with its number.
type told struct {
	Seq       int64           `json:"seq"`
	Timestamp string          `json:"timestamp"` // three digits of a second
	Type      string          `json:"event_type"`
	Data      json.RawMessage `json:"data"`
	Cause     json.RawMessage `json:"cause,omitempty"`
}

// page is a list as the original's timelines write it: without a token when nothing follows.
type page struct {
	Result []told `json:"result"`
	Next   string `json:"next_page_token,omitempty"`
}

// kinds are the resources that have a timeline.
var kinds = map[string]store.Kind{
	"calls": store.Call, "conferences": store.Conference, "flows": store.Flow, "activeflows": store.Activeflow,
}

func (h *History) resource(r *rest.Request) (rest.Reply, error) {
	kind, ok := kinds[r.PathValue("resource_type")]
	if !ok {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_RESOURCE_TYPE", "there are timelines of calls, conferences, flows and activeflows")
	}
	id, ok := wire.ParseUUID(r.PathValue("resource_id"))
	if !ok {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ID", "the id of the resource is not a UUID")
	}
	if _, err := r.OwnedByID(kind, id); err != nil {
		return rest.Reply{}, err
	}
	q := store.LogQuery{Resource: id}
	if kind == store.Conference {
		q = store.LogQuery{Conference: id, Types: []string{"conference_*"}}
	}
	return h.reply(r, []store.LogQuery{q})
}

// aggregated tells of a call or of a run of a flow, with everything that belongs to it.
func (h *History) aggregated(r *rest.Request) (rest.Reply, error) {
	callID, err := web.UUID(r.URL.Query(), "call_id")
	if err != nil {
		return rest.Reply{}, err
	}
	flowID, err := web.UUID(r.URL.Query(), "activeflow_id")
	if err != nil {
		return rest.Reply{}, err
	}
	if (callID == "") == (flowID == "") {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "give either call_id or activeflow_id")
	}
	about := []store.LogQuery{}
	if flowID != "" {
		rec, err := r.OwnedByID(store.Activeflow, flowID)
		if err != nil {
			return rest.Reply{}, err
		}
		if about = append(about, store.LogQuery{Resource: flowID}); rec.Reference == "" {
			return h.reply(r, about)
		}
		callID = rec.Reference
	} else if _, err := r.OwnedByID(store.Call, callID); err != nil {
		return rest.Reply{}, err
	}
	about = append(about, store.LogQuery{Resource: callID})
	for _, kind := range []store.Kind{store.Conferencecall, store.Activeflow} {
		recs, err := h.store.List(r.Context(), store.Query{Kind: kind, CustomerID: r.CustomerID, Reference: callID, Deleted: true, Limit: 100})
		if err != nil {
			return rest.Reply{}, fmt.Errorf("list what belongs to a call: %w", err)
		}
		for _, rec := range recs {
			if rec.ID != flowID {
				about = append(about, store.LogQuery{Resource: rec.ID})
			}
		}
	}
	return h.reply(r, about)
}

// reply tells of all that the queries find, newest first.
func (h *History) reply(r *rest.Request, about []store.LogQuery) (rest.Reply, error) {
	size, before, err := place(r.URL.Query())
	if err != nil {
		return rest.Reply{}, err
	}
	var all []store.Event
	for _, q := range about {
		q.CustomerID = r.CustomerID
		rows, err := h.all(r.Context(), q)
		if err != nil {
			return rest.Reply{}, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b store.Event) int { return int(b.Seq - a.Seq) })
	out := page{Result: []told{}}
	for _, e := range all {
		if before > 0 && e.Seq >= before {
			continue
		}
		if len(out.Result) == size {
			out.Next = strconv.FormatInt(out.Result[size-1].Seq, 10)
			break
		}
		out.Result = append(out.Result, tell(&e))
	}
	return rest.Reply{Body: out}, nil
}

func tell(e *store.Event) told {
	return told{e.Seq, e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Type, e.Data, e.Cause}
}

// place reads page_size, 100 unless told, and page_token, the number of the last event seen.
func place(q url.Values) (size int, before int64, err error) {
	n, err := web.Int(q, "page_size", 100)
	if err != nil {
		return 0, 0, err
	}
	if n < 1 || n > 1000 {
		n = 1000
	}
	before, err = web.Int(q, "page_token", 0)
	if err != nil || before < 0 {
		return 0, 0, fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", `the parameter "page_token" is not a token of this list; leave it out to start from the newest`)
	}
	return int(n), before, nil
}

// story is a part of a conference's history: what follows begins after NextAfter.
type story struct {
	Result    []store.Entry `json:"result"`
	NextAfter int64         `json:"next_after"`
}

// conference tells everything that happened in a conference, in order: itself, its people, their calls, messages, recordings, transcripts.
func (h *History) conference(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", 100)
	if err != nil {
		return rest.Reply{}, err
	}
	after, err := web.Int(q, "after", 0)
	if err != nil {
		return rest.Reply{}, err
	}
	about := []store.LogQuery{{Conference: rec.ID}}
	people, err := h.store.List(r.Context(), store.Query{Kind: store.Conferencecall, Conference: rec.ID, Deleted: true, Limit: 1000})
	if err != nil {
		return rest.Reply{}, fmt.Errorf("list participants: %w", err)
	}
	for _, p := range people {
		if p.Reference != "" {
			about = append(about, store.LogQuery{Resource: p.Reference})
		}
	}
	found := map[int64]store.Event{}
	end := int64(-1) // up to here all queries have looked
	for _, one := range about {
		one.After, one.CustomerID, one.Limit = after, r.CustomerID, int(limit)
		rows, next, err := h.store.Events(r.Context(), one)
		if err != nil {
			return rest.Reply{}, err
		}
		if end < 0 || next < end {
			end = next
		}
		for _, e := range rows {
			found[e.Seq] = e
		}
	}
	out := story{Result: []store.Entry{}, NextAfter: end}
	for _, seq := range slices.Sorted(maps.Keys(found)) {
		if seq > end {
			break
		}
		if len(out.Result) == int(limit) {
			out.NextAfter = out.Result[limit-1].Seq
			break
		}
		e := found[seq]
		out.Result = append(out.Result, e.Entry())
	}
	return rest.Reply{Body: out}, nil
}

// At answers with the conference as it was at a time or after an entry of the log, as the parameter at says. Its last_seq is the entry that
// made it so.
func (h *History) At(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	text := r.URL.Query().Get("at")
	seq, notNumber := strconv.ParseInt(text, 10, 64)
	at, notTime := time.Parse(time.RFC3339Nano, text)
	if notNumber != nil && notTime != nil || notNumber == nil && seq < 0 {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", `the parameter "at" is neither a time (RFC 3339) nor the number of a log entry`)
	}
	var last *store.Event
	q := store.LogQuery{Conference: rec.ID, Types: []string{"conference_created", "conference_updated", "conference_deleted"}, Limit: 1000}
	for done := false; !done; {
		rows, next, err := h.store.Events(r.Context(), q)
		if err != nil {
			return rest.Reply{}, fmt.Errorf("read log: %w", err)
		}
		for i := range rows {
			if notNumber == nil && rows[i].Seq > seq || notNumber != nil && rows[i].At.After(at) {
				done = true
				break
			}
			last = &rows[i]
		}
		q.After, done = next, done || len(rows) < q.Limit
	}
	if last == nil {
		return rest.Reply{}, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "the conference did not exist then; ask for a later time")
	}
	var was map[string]json.RawMessage
	if err := json.Unmarshal(last.Data, &was); err != nil {
		return rest.Reply{}, fmt.Errorf("read event %d: %w", last.Seq, err)
	}
	was["last_seq"] = json.RawMessage(strconv.FormatInt(last.Seq, 10))
	return rest.Reply{Body: was}, nil
}
