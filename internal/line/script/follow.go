package script

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/store"
	"parley/internal/wire"
)

const (
	reader    = "flows"                // the name of the cursor in the log
	watchPace = 250 * time.Millisecond // between two looks at a log that grows
	page      = 100
	// savedEvery is how many events are looked through again at most after a crash.
	savedEvery = 10_000
)

// endSpace is the name space of the ids of runs that follow an event, so that an event has one run, however often it is read.
var endSpace = uuid.MustParse("5b0c3f0e-7a58-5f0b-8e65-7e0e6f0d6a11")

// beginWatch lets a new store begin with what comes: what happened before there were flows starts none.
func (p *Performer) beginWatch(ctx context.Context) error {
	at, err := p.o.Store.Cursor(ctx, reader)
	if err == nil && at == 0 {
		if at, _, err = p.o.Store.Last(ctx, ""); err == nil && at > 0 {
			err = p.o.Store.SetCursor(ctx, reader, at)
		}
	}
	if err != nil {
		return fmt.Errorf("begin to read the log: %w", err)
	}
	return nil
}

// watch starts the flows that recordings name for their end.
func (p *Performer) watch(ctx context.Context) {
	hints, stop := p.o.Store.Hints()
	defer stop()
	l := look{p: p, next: -1}
	for {
		err := l.on(ctx)
		if err != nil && ctx.Err() == nil {
			p.o.Log.Warn("cannot start what follows recordings; trying again", "error", err)
		}
		if err == nil {
			select {
			case <-hints:
			case <-ctx.Done():
				return
			}
		}
		select { // not for each commit of a busy server
		case <-time.After(watchPace):
		case <-ctx.Done():
			return
		}
	}
}

// look goes through the log.
type look struct {
	p           *Performer
	next, saved int64 // where to go on; next is -1 before the first
}

// on looks at what is new. Where it is, is written down only now and then: an event that is seen again starts nothing again.
func (l *look) on(ctx context.Context) (err error) {
	if l.next < 0 {
		if err := l.p.beginWatch(ctx); err != nil {
			return err
		}
		if l.saved, err = l.p.o.Store.Cursor(ctx, reader); err != nil {
			return err
		}
		l.next = l.saved
	}
	for more := true; more; {
		events, upTo, err := l.p.o.Store.Events(ctx, store.LogQuery{After: l.next, Types: []string{"recording_finished"}, Limit: page})
		if err != nil {
			return err
		}
		for i := range events {
			if err := l.p.afterRecording(ctx, &events[i]); err != nil {
				return err
			}
			l.next = events[i].Seq
		}
		l.next, more = upTo, len(events) == page
		if len(events) > 0 || l.saved == 0 || l.next-l.saved > savedEvery {
			if err := l.p.o.Store.SetCursor(ctx, reader, l.next); err != nil {
				return err
			}
			l.saved = l.next
		}
	}
	return nil
}

// recorded is what a run learns of the recording that it follows.
type recorded struct {
	ID            string `json:"id"`
	ActiveflowID  string `json:"activeflow_id"`
	ReferenceType string `json:"reference_type"`
	ReferenceID   string `json:"reference_id"`
	Format        string `json:"format"`
	Flow          string `json:"on_end_flow_id"`
}

// afterRecording starts on_end_flow_id. An error says that it has to be tried again.
func (p *Performer) afterRecording(ctx context.Context, e *store.Event) error {
	var r recorded
	if err := json.Unmarshal(e.Data, &r); err != nil || r.Flow == "" || r.Flow == wire.NilUUID {
		return nil
	}
	f, err := p.Flow(ctx, e.CustomerID, r.Flow)
	if fault.KindOf(err) == fault.NotFound {
		p.o.Log.Warn("the flow after a recording is not there", "recording", r.ID, "flow", r.Flow)
		return nil
	}
	if err != nil {
		return err
	}
	name := "recording_" + r.ID
	_, err = p.Start(ctx, Plan{
		CustomerID: e.CustomerID, Actions: f.Actions,
		Env: run.Env{
			ActiveflowID: uuid.NewSHA1(endSpace, []byte(e.ID)).String(), FlowID: f.ID, ReferenceType: active.AfterRecording, ReferenceID: r.ID,
			ReferenceActiveflowID: strings.ReplaceAll(r.ActiveflowID, wire.NilUUID, ""), OnCompleteFlowID: f.OnCompleteFlowID,
		},
		Variables: map[string]string{
			"voipbin.recording.id": r.ID, "voipbin.recording.reference_type": r.ReferenceType, "voipbin.recording.reference_id": r.ReferenceID,
			"voipbin.recording.format": r.Format, "voipbin.recording.recording_name": name, "voipbin.recording.filenames": name + "." + r.Format,
		},
	})
	if fault.ReasonOf(err) == "ALREADY_EXISTS" || fault.KindOf(err) == fault.Invalid {
		return nil
	}
	return err
}
