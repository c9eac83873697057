//go:build pins

// This file keeps the versions of services in go.mod whose operators have no
// steps yet; it is part of no build.

package awscall

import (
	_ "github.com/aws/aws-sdk-go-v2/service/appflow"
	_ "github.com/aws/aws-sdk-go-v2/service/athena"
	_ "github.com/aws/aws-sdk-go-v2/service/batch"
	_ "github.com/aws/aws-sdk-go-v2/service/bedrock"
	_ "github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	_ "github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	_ "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	_ "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	_ "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	_ "github.com/aws/aws-sdk-go-v2/service/comprehend"
	_ "github.com/aws/aws-sdk-go-v2/service/databasemigrationservice"
	_ "github.com/aws/aws-sdk-go-v2/service/databrew"
	_ "github.com/aws/aws-sdk-go-v2/service/datasync"
	_ "github.com/aws/aws-sdk-go-v2/service/datazone"
	_ "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/aws/aws-sdk-go-v2/service/ec2"
	_ "github.com/aws/aws-sdk-go-v2/service/ecs"
	_ "github.com/aws/aws-sdk-go-v2/service/eks"
	_ "github.com/aws/aws-sdk-go-v2/service/emr"
	_ "github.com/aws/aws-sdk-go-v2/service/emrcontainers"
	_ "github.com/aws/aws-sdk-go-v2/service/emrserverless"
	_ "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	_ "github.com/aws/aws-sdk-go-v2/service/glacier"
	_ "github.com/aws/aws-sdk-go-v2/service/glue"
	_ "github.com/aws/aws-sdk-go-v2/service/iam"
	_ "github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	_ "github.com/aws/aws-sdk-go-v2/service/lambda"
	_ "github.com/aws/aws-sdk-go-v2/service/mwaa"
	_ "github.com/aws/aws-sdk-go-v2/service/neptune"
	_ "github.com/aws/aws-sdk-go-v2/service/opensearchserverless"
	_ "github.com/aws/aws-sdk-go-v2/service/quicksight"
	_ "github.com/aws/aws-sdk-go-v2/service/rds"
	_ "github.com/aws/aws-sdk-go-v2/service/redshift"
	_ "github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	_ "github.com/aws/aws-sdk-go-v2/service/s3tables"
	_ "github.com/aws/aws-sdk-go-v2/service/s3vectors"
	_ "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	_ "github.com/aws/aws-sdk-go-v2/service/sfn"
	_ "github.com/aws/aws-sdk-go-v2/service/sns"
	_ "github.com/aws/aws-sdk-go-v2/service/sqs"
)
