package catalogue

// Entry describes one type of event.
type Entry struct {
	Type  string
	Since string         // version of the server that sent it first
	About string         // schema of its data, by its name in openapi.yaml
	Text  string         // when it happens, one sentence
	With  map[string]any // fields of the sample's data that make it one of this type
}

// first is the version that the oldest types came with.
const first = "0.1.0"

type fields = map[string]any

// table has all types, in the order in which they are served. A new type is one entry here.
var table = []Entry{
	{"conference_created", first, "Conference", "A conference was made.", fields{"status": "starting"}},
	{"conference_updated", first, "Conference", "A conference changed: its settings, its state, who is in it, what is recorded.", fields{"status": "progressing"}},
	{"conference_deleted", first, "Conference", "A conference has ended for good.", fields{"status": "terminated", "end_reason": "deleted", "tm_end": now, "tm_delete": now}},

	{"conferencecall_joining", first, "Conferencecall", "Somebody is on the way into a conference.", fields{"status": "joining", "tm_update": nil}},
	{"conferencecall_joined", first, "Conferencecall", "Somebody is in a conference, hears and is heard.", fields{"status": "joined", "tm_joined": now}},
	{"conferencecall_leaving", first, "Conferencecall", "Somebody is on the way out; leave_reason says why.", fields{"status": "leaving", "leave_reason": "hangup", "tm_joined": now}},
	{"conferencecall_leaved", first, "Conferencecall", "Somebody has left; leave_reason says why.", fields{"status": "leaved", "leave_reason": "hangup", "tm_joined": now, "tm_leaved": now}},
	{"conferencecall_updated", first, "Conferencecall", "A participant changed: muted, deaf, held, role, name, volume, media.", fields{"status": "joined", "muted": true, "tm_joined": now}},
	{"conferencecall_speech_started", first, "Conferencecall", "A participant began to speak. Exactly one stop follows.", fields{"status": "joined", "speaking": true, "tm_joined": now}},
	{"conferencecall_speech_stopped", first, "Conferencecall", "A participant stopped speaking, or was muted, held or gone.", fields{"status": "joined", "tm_joined": now}},
	{"conferencecall_digit_received", first, "Conferencecall", "A participant pressed a key; digit says which.", fields{"status": "joined", "digit": "5", "tm_joined": now}},

	{"conference_message_created", first, "Message", "Somebody wrote a message in a conference.", fields{"tm_update": nil}},
	{"conference_message_updated", first, "Message", "A message was edited.", fields{"edited": true}},
	{"conference_message_deleted", first, "Message", "A message was deleted; it has no text any more.", fields{"text": "", "tm_delete": now}},

	{"recording_started", first, "Recording", "A recording has begun.", fields{"status": "recording", "tm_start": now}},
	{"recording_paused", first, "Recording", "A recording is paused.", fields{"status": "recording", "paused": true, "pause_behavior": "skip", "tm_start": now}},
	{"recording_resumed", first, "Recording", "A paused recording goes on.", fields{"status": "recording", "tm_start": now}},
	{"recording_finished", first, "Recording", "A recording has ended and can be downloaded.", fields{"status": "ended", "end_reason": "stopped", "tm_start": now, "tm_end": now}},
	{"recording_failed", first, "Recording", "A recording has ended before its time, or could not be made; end_reason says why.", fields{"status": "ended", "end_reason": "disk_full", "tm_start": now, "tm_end": now}},
	{"recording_deleted", first, "Recording", "A recording was deleted, by somebody or because its time of retention is over.", fields{"status": "ended", "end_reason": "stopped", "tm_delete": now}},

	{"recording_updated", first, "Recording", "The recording of a call has stopped; its file is being made.", fields{"status": "stopping", "reference_type": "call", "end_reason": "stopped", "tm_start": now, "tm_end": now}},
	{"announcement_started", first, "AnnouncementEvent", "An announcement begins to be heard, or a participant is being told of a recording.", fields{"status": "playing"}},
	{"announcement_ended", first, "AnnouncementEvent", "An announcement is over, or a participant has heard that there is a recording.", fields{"status": "ended", "reason": "played"}},
	{"announcement_failed", first, "AnnouncementEvent", "An announcement could not be heard, or a participant not be told of a recording; its voice is not stored.", fields{"status": "failed", "reason": "PROMPT_UNREACHABLE"}},
	{"recording_consented", first, "RecordingNotice", "A participant has heard the announcement, and agreed where that is asked for; its voice is stored from now on.", fields{"status": "consented"}},

	{"call_created", first, "Call", "A call was made, or has come in.", fields{"status": "ringing"}},
	{"call_updated", first, "Call", "A call changed without changing its status.", fields{"status": "progressing", "tm_progressing": now}},
	{"call_dialing", first, "Call", "A call out is on its way.", fields{"status": "dialing", "direction": "outgoing"}},
	{"call_ringing", first, "Call", "A call rings.", fields{"status": "ringing", "tm_ringing": now}},
	{"call_progressing", first, "Call", "A call was answered.", fields{"status": "progressing", "tm_progressing": now}},
	{"call_terminating", first, "Call", "This server is ending a call.", fields{"status": "terminating", "tm_progressing": now}},
	{"call_canceling", first, "Call", "This server is taking back a call out that nobody has answered.", fields{"status": "canceling", "direction": "outgoing"}},
	{"call_hangup", first, "Call", "A call has ended; hangup_reason and hangup_by say why.", fields{"status": "hangup", "hangup_by": "remote", "hangup_reason": "normal", "tm_hangup": now}},
	{"call_deleted", first, "Call", "The record of a call was deleted.", fields{"status": "hangup", "hangup_by": "remote", "hangup_reason": "normal", "tm_delete": now}},

	{"call_refused", first, "CallRefusal", "Calls out were refused by a rule; count says how many since the last of these events.", fields{"count": 1}},
	{"groupcall_created", first, "Groupcall", "A call to several destinations was made.", fields{"status": "progressing"}},
	{"groupcall_updated", first, "Groupcall", "A call to several destinations has come to its next one, or was answered.", fields{"status": "progressing"}},
	{"groupcall_progressing", first, "Groupcall", "A call to several destinations is under way.", fields{"status": "progressing"}},
	{"groupcall_hangup", first, "Groupcall", "A call to several destinations is over.", fields{"status": "hangup"}},
	{"groupcall_deleted", first, "Groupcall", "The record of a call to several destinations was deleted.", fields{"status": "hangup", "tm_delete": now}},

	{"transfer_created", first, "Transfer", "A transfer has begun: the transferee is being called.", fields{"status": "dialing"}},
	{"transfer_updated", first, "Transfer", "The transferee of a transfer has answered.", fields{"status": "consulting"}},
	{"transfer_completed", first, "Transfer", "The transferee has the transferer's place.", fields{"status": "completed", "tm_end": now}},
	{"transfer_failed", first, "Transfer", "A transfer has not come about; end_reason says why.", fields{"status": "failed", "end_reason": "noanswer", "tm_end": now}},

	{"trunk_created", first, "Trunk", "A trunk was made.", nil},
	{"trunk_updated", first, "Trunk", "A trunk changed.", nil},
	{"trunk_deleted", first, "Trunk", "A trunk was deleted.", fields{"tm_delete": now}},

	{"flow_created", first, "Flow", "A flow was made.", nil},
	{"flow_updated", first, "Flow", "A flow changed.", nil},
	{"flow_deleted", first, "Flow", "A flow was deleted.", fields{"tm_delete": now}},
	{"activeflow_created", first, "Activeflow", "A run of a flow has begun.", fields{"status": "running"}},
	{"activeflow_updated", first, "Activeflow", "A run of a flow has come to another action, or has ended.", fields{"status": "running"}},
	{"activeflow_deleted", first, "Activeflow", "The record of a run was deleted.", fields{"status": "ended", "end_reason": "finished", "tm_delete": now}},

	{"webhook_created", first, "Webhook", "A webhook was made.", fields{"status": "enabled"}},
	{"webhook_updated", first, "Webhook", "A webhook changed.", fields{"status": "enabled"}},
	{"webhook_disabled", first, "Webhook", "A webhook was disabled because it answered 410, or took nothing for days; disabled_reason says which.", fields{"status": "disabled", "disabled_reason": "failing"}},
	{"webhook_deleted", first, "Webhook", "A webhook was deleted.", fields{"tm_delete": now}},
	{"webhook_test", first, "Webhook", "A test that somebody asked for; it is not in the log.", fields{"status": "enabled"}},

	{"customer_created", first, "Customer", "A customer was made.", nil},
	{"customer_updated", first, "Customer", "A customer changed.", nil},
	{"accesskey_created", first, "Accesskey", "An access key was made.", nil},
	{"accesskey_updated", first, "Accesskey", "An access key got another name or detail.", nil},
	{"accesskey_deleted", first, "Accesskey", "An access key was deleted and opens nothing any more.", fields{"tm_delete": now}},
	{"agent_created", first, "Agent", "An agent was made.", nil},
	{"agent_updated", first, "Agent", "An agent changed: what it is called, where it is reached, what it may do, or its status, which follows its calls.", nil},
	{"agent_deleted", first, "Agent", "An agent was deleted and cannot log in any more.", fields{"status": "offline", "tm_delete": now}},
	{"extension_created", first, "Extension", "An extension was made.", nil},
	{"extension_updated", first, "Extension", "An extension changed.", nil},
	{"extension_deleted", first, "Extension", "An extension was deleted.", fields{"tm_delete": now}},
}
