package script

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script/record"
	"parley/internal/store"
	"parley/internal/wire"
)

// endSpace is the name space of the ids of runs that follow an event, so that an event has one run, however often it is read.
var endSpace = uuid.MustParse("5b0c3f0e-7a58-5f0b-8e65-7e0e6f0d6a11")

// recorded is what a run learns of the recording that it follows.
type recorded struct {
	ID            string `json:"id"`
	ActiveflowID  string `json:"activeflow_id"`
	ReferenceType string `json:"reference_type"`
	ReferenceID   string `json:"reference_id"`
	Format        string `json:"format"`
	Flow          string `json:"on_end_flow_id"`
	EndReason     string `json:"end_reason"`
}

// afterRecording starts on_end_flow_id, after a recording that has failed as well. An error says that it has to be tried again.
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
	name, before := "recording_"+r.ID, strings.ReplaceAll(r.ActiveflowID, wire.NilUUID, "")
	calls, err := record.CallsBefore(ctx, p.o.Store, before)
	if err != nil {
		return err
	}
	plan := Plan{
		CustomerID: e.CustomerID, Actions: f.Actions,
		Env: run.Env{
			ActiveflowID: uuid.NewSHA1(endSpace, []byte(e.ID)).String(), FlowID: f.ID, ReferenceType: active.AfterRecording, ReferenceID: r.ID,
			ReferenceActiveflowID: before, OnCompleteFlowID: f.OnCompleteFlowID, CallCount: calls,
		},
		Variables: map[string]string{
			"voipbin.recording.id": r.ID, "voipbin.recording.reference_type": r.ReferenceType, "voipbin.recording.reference_id": r.ReferenceID,
			"voipbin.recording.status": strings.TrimPrefix(e.Type, "recording_"), "voipbin.recording.end_reason": r.EndReason, "voipbin.recording.format": r.Format,
			"voipbin.recording.recording_name": name, "voipbin.recording.filenames": name + "." + r.Format,
		},
	}
	_, err = p.Start(ctx, plan)
	if fault.ReasonOf(err) == busy && p.berths.Spent(e.CustomerID) { // others do not wait for it
		err = p.turnAway(ctx, plan)
	}
	if fault.ReasonOf(err) == "ALREADY_EXISTS" || fault.KindOf(err) == fault.Invalid {
		return nil
	}
	return err
}
