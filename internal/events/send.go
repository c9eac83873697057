package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A sender hands letters of one run over, in their order. It returns how many
// were taken; the error says why the next was not. It may be used by several
// runs at once.
type sender func(ctx context.Context, letters []letter) (int, error)

// sendTime bounds how long one letter may take.
const sendTime = 15 * time.Second

// errRefused is what a sink says that will never take a letter.
var errRefused = errors.New("the sink refuses the event")

// each makes a sender of what sends one letter.
func each(send func(ctx context.Context, l letter) error) sender {
	return func(ctx context.Context, letters []letter) (int, error) {
		for i, l := range letters {
			one, cancel := context.WithTimeout(ctx, sendTime)
			err := send(one, l)
			cancel()
			if err != nil {
				return i, err
			}
		}
		return len(letters), nil
	}
}

// webhook posts letters, signed as Standard Webhooks are.
func webhook(to string, key []byte, token string) sender {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = atOnce
	client := &http.Client{
		Transport:     pool,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return each(func(ctx context.Context, l letter) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(l.body))
		if err != nil {
			return err
		}
		at := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Webhook-Id", l.event.ID)
		r.Header.Set("Webhook-Timestamp", at)
		r.Header.Set("Webhook-Signature", sign(key, l.event.ID, at, l.body))
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // what of it there is
		switch code := resp.StatusCode; {
		case code >= 200 && code < 300:
			return nil
		case code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnprocessableEntity:
			return fmt.Errorf("%w: %s: %s", errRefused, resp.Status, bytes.TrimSpace(said))
		default:
			return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(said))
		}
	})
}

// sign returns the signature of a message, as Standard Webhooks has it.
func sign(key []byte, id, at string, body []byte) string {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%s.", id, at)
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// keyPrefix begins a key as it is written.
const keyPrefix = "whsec_"

// parseKey reads a key.
func parseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), keyPrefix))
	if err != nil || len(key) < 16 {
		return nil, fmt.Errorf("expected %s and at least 16 bytes in base64", keyPrefix)
	}
	return key, nil
}

// file appends letters to a file, a line each. It is opened for each send, so
// that it may be rotated.
func file(path string) sender {
	return func(_ context.Context, letters []letter) (int, error) {
		var b bytes.Buffer
		for _, l := range letters {
			b.Write(l.body)
			b.WriteByte('\n')
		}
		if err := appendLines(path, b.Bytes()); err != nil {
			return 0, err
		}
		return len(letters), nil
	}
}

// appendLines adds whole lines to a file and waits for the disk.
func appendLines(path string, lines []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size > 0 {
		var last [1]byte
		if _, err = f.ReadAt(last[:], size-1); err == nil && last[0] != '\n' { // a crash, or a full disk, came in the middle
			lines = append([]byte{'\n'}, lines...)
		}
	}
	if err == nil {
		_, err = f.Write(lines)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// queue sends letters to a queue of SQS.
func queue(conf aws.Config, to string) sender {
	u, _ := url.Parse(to) // which Check has done
	client := sqs.NewFromConfig(conf, func(o *sqs.Options) {
		o.BaseEndpoint = aws.String(u.Scheme + "://" + u.Host)
		if part := strings.Split(u.Hostname(), "."); len(part) > 3 && part[0] == "sqs" && part[2] == "amazonaws" {
			o.Region = part[1]
		}
	})
	return each(func(ctx context.Context, l letter) error {
		in := &sqs.SendMessageInput{
			QueueUrl: &to, MessageBody: aws.String(string(l.body)),
			MessageAttributes: map[string]sqstypes.MessageAttributeValue{
				"detail-type": {DataType: aws.String("String"), StringValue: &l.event.DetailType},
			},
		}
		if strings.HasSuffix(to, ".fifo") {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(string(l.event.Topic)), &l.event.ID
		}
		_, err := client.SendMessage(ctx, in)
		return err
	})
}

// topic publishes letters to a topic of SNS.
func topic(conf aws.Config, to string) sender {
	client := sns.NewFromConfig(conf, func(o *sns.Options) { o.Region = regionOf(to, o.Region) })
	return each(func(ctx context.Context, l letter) error {
		in := &sns.PublishInput{
			TopicArn: &to, Message: aws.String(string(l.body)),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{
				"detail-type": {DataType: aws.String("String"), StringValue: &l.event.DetailType},
			},
		}
		if strings.HasSuffix(to, ".fifo") {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(string(l.event.Topic)), &l.event.ID
		}
		_, err := client.Publish(ctx, in)
		return err
	})
}

// bus puts letters on a bus of EventBridge.
func bus(conf aws.Config, to string) sender {
	client := eventbridge.NewFromConfig(conf, func(o *eventbridge.Options) { o.Region = regionOf(to, o.Region) })
	return each(func(ctx context.Context, l letter) error {
		detail, err := detailText(l.event)
		if err != nil {
			return err
		}
		out, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []bridgetypes.PutEventsRequestEntry{{
			EventBusName: &to, Source: &l.event.Source, DetailType: &l.event.DetailType, Detail: &detail,
			Resources: l.event.Resources, Time: &l.event.Time,
		}}})
		if err != nil {
			return err
		}
		if len(out.Entries) == 1 && out.Entries[0].ErrorCode != nil {
			return fmt.Errorf("%s: %s", *out.Entries[0].ErrorCode, aws.ToString(out.Entries[0].ErrorMessage))
		}
		return nil
	})
}

// regionOf returns the region of an ARN, or otherwise.
func regionOf(to, otherwise string) string {
	if part := strings.Split(to, ":"); len(part) > 3 && part[0] == "arn" && part[3] != "" {
		return part[3]
	}
	return otherwise
}

func detailText(e *Event) (string, error) {
	data, err := json.Marshal(e.Detail)
	return string(data), err
}
