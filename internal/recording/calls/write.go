package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/deck"
	"parley/internal/store"
	"parley/internal/wall"
)

// stoppedEvent says that nothing more is captured and the file is being made. A conference has an event of its own for that.
const stoppedEvent = "recording_updated"

func keyOf(id string) string { return "recording/" + id }

// owner writes down what becomes of a recording.
type owner struct{ desk *Desk }

// Stop implements deck.Owner.
func (w owner) Stop(ctx context.Context, id string, reason tape.Reason) error {
	x := w.desk.live(id)
	if x != nil {
		reason = x.why(reason)
	}
	_, err := w.desk.step(ctx, id, func(r tape.Recording, at time.Time) (tape.Recording, string, error) {
		if r.Status != tape.Running {
			return r, "", nil
		}
		return r.Stop(at, reason), stoppedEvent, nil
	})
	if err == nil && x != nil {
		x.end(reason)
		w.desk.forget(x)
		w.desk.o.Log.Info("recording stopped", "call", x.callID, "recording", id, "reason", reason)
	}
	return err
}

// Finish implements deck.Owner.
func (w owner) Finish(ctx context.Context, id string, f tape.File, failure tape.Reason) error {
	_, err := w.desk.step(ctx, id, func(r tape.Recording, at time.Time) (tape.Recording, string, error) {
		if r.Status == tape.Ended {
			return r, "", nil
		}
		r, event := r.End(at, f, failure)
		return r, event, nil
	})
	return err
}

func (d *Desk) live(id string) *Recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.active {
		if x != nil && x.id == id {
			return x
		}
	}
	return nil
}

func (d *Desk) forget(x *Recording) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.active[x.callID] == x {
		delete(d.active, x.callID)
	}
	x.told.Do(func() { close(x.stopped) })
}

// step changes a record and writes it with its event; without an event nothing has changed.
func (d *Desk) step(ctx context.Context, id string, change func(tape.Recording, time.Time) (tape.Recording, string, error)) (tape.Recording, error) {
	d.changes.Lock()
	defer d.changes.Unlock()
	r, err := d.read(ctx, id)
	if err != nil {
		return r, err
	}
	r, event, err := change(r, wall.Now().UTC().Truncate(time.Microsecond))
	if err != nil || event == "" {
		return r, err
	}
	return r, d.write(ctx, r, event)
}

func (d *Desk) read(ctx context.Context, id string) (r tape.Recording, err error) {
	record, err := d.o.Store.Get(ctx, store.Recording, id)
	if err == nil {
		err = json.Unmarshal(record.Doc, &r)
	} else if fault.KindOf(err) == fault.NotFound {
		return r, fault.New(fault.NotFound, "RECORDING_NOT_FOUND", "there is no such recording; check the id")
	}
	if err != nil {
		return r, fmt.Errorf("read recording %s: %w", id, err)
	}
	return r, nil
}

func (d *Desk) write(ctx context.Context, r tape.Recording, event string) error {
	record, err := deck.Record(&r)
	if err != nil {
		return err
	}
	data, err := json.Marshal(r.Resource())
	if err != nil {
		return fmt.Errorf("write recording %s: %w", r.ID, err)
	}
	_, version, err := d.o.Store.Last(ctx, keyOf(r.ID))
	if err != nil {
		return fmt.Errorf("write recording %s: %w", r.ID, err)
	}
	at := r.Updated
	if at.IsZero() {
		at = r.Created
	}
	err = d.o.Store.Append(ctx, &store.Change{
		Key: keyOf(r.ID), Version: version, Records: []store.Record{record},
		Events: []store.Event{{ID: uuid.NewString(), Type: event, At: at, CustomerID: r.CustomerID, Resource: r.ID, Data: data}},
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", event, err)
	}
	return nil
}
