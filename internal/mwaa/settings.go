package mwaa

import (
	"encoding/json"
	"fmt"

	"fairlead/internal/flow"
)

// workflowSettings is what the door keeps with a workflow for good.
type workflowSettings struct {
	Encryption *encryptionConfiguration `json:",omitempty"`
}

// versionSettings is what the door keeps with a version.
type versionSettings struct {
	Definition    *definitionS3Location
	Code          *code `json:",omitempty"`
	RoleArn       string
	Description   string                `json:",omitempty"`
	Logging       *loggingConfiguration `json:",omitempty"`
	Network       *networkConfiguration `json:",omitempty"`
	TriggerMode   string                `json:",omitempty"` // as sent
	EngineVersion *int32                `json:",omitempty"`
	Environment   *environment          `json:",omitempty"`
	// Schedule is the definition's expression, heeded or not.
	Schedule string `json:",omitempty"`
}

func readSettings(v flow.Version) (versionSettings, error) {
	var s versionSettings
	if err := json.Unmarshal(v.Settings, &s); err != nil {
		return s, fmt.Errorf("settings of version %s: %w", v.ID, err)
	}
	return s, nil
}

func (s versionSettings) group(w flow.WorkflowID) string {
	if s.Logging != nil {
		return s.Logging.LogGroupName
	}
	return logGroup(w)
}

func (s versionSettings) schedule() *scheduleConfiguration {
	if s.Schedule == "" {
		return nil
	}
	return &scheduleConfiguration{s.Schedule}
}

func (s versionSettings) triggerMode() string {
	if s.TriggerMode == "" {
		return modeScheduled
	}
	return s.TriggerMode
}

// Runtime is what the settings of a version mean for its tasks.
type Runtime struct {
	RoleArn  string
	LogGroup string
	// Environment is added to that of every task.
	Environment map[string]string
	Description string
	TriggerMode string
	// Bucket and Key say where the definition was read from; Code is where the
	// code package was, as s3://bucket/key, or empty.
	Bucket, Key string
	Code        string
}

// RuntimeOf reads the settings of a version that the door has made.
func RuntimeOf(v flow.Version) (Runtime, error) {
	s, err := readSettings(v)
	if err != nil {
		return Runtime{}, err
	}
	r := Runtime{RoleArn: s.RoleArn, LogGroup: s.group(v.Workflow), Description: s.Description, TriggerMode: s.triggerMode()}
	if l := s.Definition; l != nil {
		r.Bucket, r.Key = l.Bucket, l.ObjectKey
	}
	if s.Code != nil && s.Code.S3Location != nil {
		r.Code = "s3://" + s.Code.S3Location.Bucket + "/" + s.Code.S3Location.ObjectKey
	}
	if s.Environment != nil {
		r.Environment = s.Environment.Variables
	}
	return r, nil
}
