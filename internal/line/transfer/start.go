package transfer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/call/transfer"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/store"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// Request asks for a transfer.
type Request struct {
	CustomerID string
	Type       transfer.Type
	Source     call.Address // who calls the transferee
	Addresses  []call.Address
}

// job is a transfer of the API under way. Its goroutine owns what is not said to be anybody's.
type job struct {
	scene
	phone  Phone
	record *record
	count  *count
	done   func()      // lets the call be transferred again
	won    chan string // the call that has answered first
	lost   chan call.HangupReason
	cancel chan struct{} // capacity 1: somebody wants it to end
	over   chan struct{} // closed when its end is written

	by       json.RawMessage // who has asked for it, as the log keeps it
	takeBack func()          // of those who have not answered
	quiet    func()          // ends what the transferer hears while somebody is called; nil for nothing
	newcomer Phone           // the transferee once it has answered
}

// Start begins a transfer of a phone and returns its record. What cannot be begun is refused, and nothing has happened then.
func (h *Host) Start(ctx context.Context, p Phone, q Request) (transfer.Transfer, error) {
	done, err := h.begin(p.ID())
	if err != nil {
		return transfer.Transfer{}, err
	}
	j := &job{
		phone: p, count: newCount(), done: done, record: &record{store: h.o.Store, timeout: h.o.WriteTimeout},
		won: make(chan string, 1), lost: make(chan call.HangupReason, 1), cancel: make(chan struct{}, 1), over: make(chan struct{}),
		takeBack: func() {}, by: cause.In(ctx),
	}
	made, err := h.start(ctx, j, q)
	if err != nil {
		done()
	}
	return made, err
}

func (h *Host) start(ctx context.Context, j *job, q Request) (made transfer.Transfer, err error) {
	if j.scene, err = h.scene(ctx, j.phone); err != nil {
		return made, err
	}
	if err := j.whole(); err != nil {
		return made, err
	}
	made, err = transfer.New(wall.Now(), transfer.Transfer{
		ID: uuid.NewString(), CustomerID: q.CustomerID, Type: q.Type, Transferer: j.phone.ID(), Addresses: q.Addresses,
		Places: transfer.Places{Conference: j.at.Conference},
	})
	if err != nil {
		return made, err
	}
	to := j.at.Conference
	if q.Type == transfer.Attended {
		if to, err = h.consultation(ctx, q.CustomerID); err != nil {
			return made, err
		}
		made.Consultation = to
	}
	if err := j.prepare(ctx, made, Order{CustomerID: q.CustomerID, Source: q.Source, To: q.Addresses, Conference: to}); err != nil {
		if made.Consultation != "" {
			h.close(ctx, made.Consultation)
		}
		return made, err
	}
	h.mu.Lock()
	h.live[made.ID] = j
	h.mu.Unlock()
	if !h.o.Lines.Lend(j.run) {
		j.run(ended())
		return made, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	return made, nil
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// consultation makes a conference for transferer and transferee, in which neither is lost when the other leaves.
func (h *Host) consultation(ctx context.Context, customer string) (string, error) {
	v, err := h.o.Rooms.Create(ctx, conference.Create{
		CustomerID: customer, Type: conference.Standard, Settings: conference.Settings{Name: "transfer", MaxParticipants: 2},
	})
	return string(v.Conference.ID), err
}

// prepare has the transferee called, writes the record, and takes the transferer out of its conversation. An error means that all is as it was.
func (j *job) prepare(ctx context.Context, t transfer.Transfer, o Order) error {
	h := j.h
	o.Answered, o.Ended = j.answered, j.ended
	calls, takeBack, err := h.o.Lines.Ring(ctx, o)
	if err != nil {
		return err
	}
	j.takeBack = takeBack
	if why, last := j.count.expect(calls); last {
		j.lost <- why
	}
	if err := j.record.write(ctx, t, "transfer_created"); err != nil {
		takeBack()
		return err
	}
	j.phone.HandOver(true)
	if t.Type == transfer.Blind {
		err = j.phone.Vacate(ctx)
	} else {
		err = h.move(ctx, j.at, t.Consultation)
	}
	if err != nil {
		takeBack()
		j.phone.HandOver(false)
		_ = j.record.step(ctx, func(t *transfer.Transfer) string { return t.Fail(wall.Now(), transfer.TransfereeLeft) })
		return err
	}
	j.hold(ctx, true)
	if t.Type == transfer.Blind {
		j.phone.Hangup(ctx, "transferred")
	} else {
		j.ringback(ctx, t.Consultation)
	}
	return nil
}

// answered takes an answer of the transferee; its call's goroutine calls it.
func (j *job) answered(id string) {
	j.count.answer(id)
	j.won <- id
}

func (j *job) ended(id string, reason call.HangupReason) {
	if why, last := j.count.end(id, reason); last {
		j.lost <- why
	}
}

// ringback has the transferer hear that somebody is called.
func (j *job) ringback(ctx context.Context, consultation string) {
	if j.h.o.Prompts == nil {
		return
	}
	tone, err := j.h.o.Prompts.Tone("ringback")
	if err != nil {
		return
	}
	clip, err := mixer.NewClip(tone.Samples, tone.Rate, true)
	if err != nil {
		return
	}
	if _, detach, err := j.h.o.Rooms.Attach(context.WithoutCancel(ctx), conference.ID(consultation), nil, clip); err == nil {
		j.quiet = detach
	}
}

// hush ends what the transferer hears.
func (j *job) hush() {
	if j.quiet != nil {
		j.quiet()
		j.quiet = nil
	}
}

// Cancel ends a transfer of the customer's that is under way, and returns it: an attended transferer is back with its partner then. One that has ended
// is a fault.Conflict, TRANSFER_ENDED.
func (h *Host) Cancel(ctx context.Context, customerID, id string) (transfer.Transfer, error) {
	t, err := h.get(ctx, customerID, id)
	if err != nil {
		return t, err
	}
	h.mu.Lock()
	j := h.live[t.ID]
	h.mu.Unlock()
	if j == nil {
		return t, fault.New(fault.Conflict, "TRANSFER_ENDED", "transfer %s is %s", t.ID, t.Status)
	}
	select {
	case j.cancel <- struct{}{}:
	default: // it has been told
	}
	select {
	case <-j.over:
	case <-ctx.Done():
	}
	return h.get(context.WithoutCancel(ctx), customerID, id)
}

func (h *Host) get(ctx context.Context, customerID, id string) (t transfer.Transfer, err error) {
	row, err := h.o.Store.Get(ctx, store.Transfer, id)
	if err != nil || row.CustomerID != customerID {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			return t, fault.New(fault.NotFound, "TRANSFER_NOT_FOUND", "there is no such transfer; check the id")
		}
		return t, fmt.Errorf("read transfer: %w", err)
	}
	if err := json.Unmarshal(row.Doc, &t); err != nil {
		return t, fmt.Errorf("read transfer %s: %w", id, err)
	}
	return t, nil
}
