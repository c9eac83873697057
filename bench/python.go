package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// python measures a chain of functions of a code package that do nothing,
// beside a chain of `bash -c true` and a bare interpreter.
func (b *bench) python() error {
	const length = 20
	interpreter := "/usr/bin/python3" // what a cage shows by default
	if err := exec.Command(interpreter, "-c", "pass").Run(); err != nil {
		return fmt.Errorf("the control: %w", err)
	}
	s, err := b.server()
	if err != nil {
		return err
	}
	const function, module = "operator: airflow.operators.python.PythonOperator\n      python_callable: house.nothing", "def nothing(): pass\n"
	functions, err := s.packaged("functions", chainOf(length, function), module)
	if err != nil {
		return err
	}
	single, err := s.packaged("single", chainOf(1, function), module)
	if err != nil {
		return err
	}
	shells, err := s.workflow("shells", chainOf(length, "operator: airflow.operators.bash.BashOperator\n      bash_command: 'true'"))
	if err != nil {
		return err
	}
	if _, err := s.run(functions, 2*time.Millisecond); err != nil { // compiles the stand-in, and starts what waits
		return err
	}
	var bare, shell []float64
	wall, err := rounds(b.rounds, func() (float64, error) {
		var own []float64
		for range length {
			began := time.Now()
			if err := exec.Command(interpreter, "-c", "pass").Run(); err != nil {
				return 0, err
			}
			own = append(own, ms(time.Since(began)))
		}
		bare = append(bare, median(own))
		d, err := s.run(shells, 2*time.Millisecond)
		if err != nil {
			return 0, err
		}
		shell = append(shell, ms(d)/length)
		d, err = s.run(functions, 2*time.Millisecond)
		return ms(d) / length, err
	})
	if err != nil {
		return err
	}
	b.table.add(row{part: "python", what: "Python function in a chain of 20, wall (p50)", value: fmt.Sprintf("%.1f ms", wall),
		control: fmt.Sprintf("bare python3 -c pass %.1f ms; bash -c true in such a chain %.1f ms", median(bare), median(shell)),
		aim:     "≤ 8 ms", met: wall <= 8})
	var alone []float64
	for range 20 * b.rounds {
		d, err := s.run(single, 500*time.Microsecond)
		if err != nil {
			return err
		}
		alone = append(alone, ms(d))
	}
	b.table.add(row{part: "python", what: fmt.Sprintf("run of one Python function, %d in turn, p50 / p99", len(alone)),
		value: fmt.Sprintf("%.1f / %.1f ms", median(alone), quantile(alone, 0.99)), control: "from the call that starts it until its end is seen"})
	return nil
}

// packaged stores a definition and a module of Python, and makes a workflow
// of them. The SDK does not know code packages yet.
func (s *server) packaged(name, definition, module string) (string, error) {
	ctx := context.Background()
	_, _ = s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")}) // it may be there
	for key, text := range map[string]string{name: definition, "house.py": module} {
		if _, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: &key, Body: bytes.NewReader([]byte(text))}); err != nil {
			return "", err
		}
	}
	body, err := json.Marshal(map[string]any{
		"Name": name, "RoleArn": "arn:aws:iam::111122223333:role/bench",
		"DefinitionS3Location": map[string]string{"Bucket": "bench", "ObjectKey": name},
		"Code":                 map[string]any{"S3Location": map[string]string{"Bucket": "bench", "ObjectKey": "house.py"}},
	})
	if err != nil {
		return "", err
	}
	q, err := sign(s, s.endpoint, "CreateWorkflow", body)
	if err != nil {
		return "", err
	}
	if err := q.send(http.DefaultClient); err != nil {
		return "", err
	}
	list, err := s.api.ListWorkflows(ctx, &mwaaserverless.ListWorkflowsInput{MaxResults: aws.Int32(100)})
	if err != nil {
		return "", err
	}
	for _, w := range list.Workflows {
		if aws.ToString(w.Name) == name {
			return *w.WorkflowArn, nil
		}
	}
	return "", fmt.Errorf("workflow %s is not listed", name)
}
