package messages

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"shop/internal/logs"
)

// Send puts a message into a queue, with the context's request id.
func Send(ctx context.Context, client *sqs.Client, queueURL string, m Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	attributes := map[string]types.MessageAttributeValue{AttributeKind: attribute(m.Kind)}
	if id := logs.RequestID(ctx); id != "" { // SQS refuses an empty value
		attributes[AttributeRequestID] = attribute(id)
	}
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &queueURL, MessageBody: aws.String(string(text)), MessageAttributes: attributes,
	})
	if err != nil {
		return fmt.Errorf("message %s was not sent: %w", m.ID, err)
	}
	return nil
}

func attribute(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}
