"""What a viewer gets from a distribution: the site from its bucket, the services through a VPC origin."""

import http.client
import http.server
import json
import threading
import uuid

from layer.tests.support import ACCOUNT, GapCase, shared


class Service(http.server.BaseHTTPRequestHandler):
    """A task behind the load balancer."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the service")

    def log_message(self, *_):
        pass


def get(emulator, host, path):
    """A viewer's request, unsigned and over TLS as far as CloudFront knows."""
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=20)
    connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def bucket(emulator, name, distributions):
    """A bucket that refuses whatever does not come over TLS, with a page that CloudFront may read."""
    s3 = emulator.client("s3")
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name}
    )
    s3.put_object(Bucket=name, Key="index.html", Body=b"the page")
    objects = f"arn:aws:s3:::{name}/*"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": objects,
        "Condition": {"ArnLike": {"aws:SourceArn": distributions}},
    }
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": objects,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [allow, deny]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def balancer(emulator, port):
    """A load balancer, in a region of its own, that passes everything on to a port of this machine."""
    elb = emulator.client("elbv2")
    made = elb.create_load_balancer(Name="viewers", Subnets=["subnet-1", "subnet-2"])
    load_balancer = made["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="viewers", Protocol="HTTP", Port=port, VpcId="vpc-1", TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
    elb.create_listener(
        LoadBalancerArn=load_balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return load_balancer


def behavior(origin, **more):
    """CachingDisabled, the plainest one."""
    policy = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "https-only",
        "CachePolicyId": policy,
        **more,
    }


def distribution(emulator, site, load_balancer):
    """The site by default, and the services below /api."""
    cloudfront = emulator.client("cloudfront")
    access = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": site,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    vpc_origin = cloudfront.create_vpc_origin(
        VpcOriginEndpointConfig={
            "Name": site,
            "Arn": load_balancer["LoadBalancerArn"],
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "http-only",
        }
    )["VpcOrigin"]["Id"]
    origins = [
        {
            "Id": "site",
            "DomainName": f"{site}.s3.eu-west-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": access,
        },
        {
            "Id": "api",
            "DomainName": load_balancer["DNSName"],
            "VpcOriginConfig": {"VpcOriginId": vpc_origin},
        },
    ]
    return cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": site,
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {"Quantity": 2, "Items": origins},
            "DefaultCacheBehavior": behavior("site"),
            "CacheBehaviors": {"Quantity": 1, "Items": [behavior("api", PathPattern="/api/*")]},
        }
    )["Distribution"]["DomainName"]


class Viewers(GapCase):
    @classmethod
    def setUpClass(cls):
        cls.service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=cls.service.serve_forever, daemon=True).start()
        cls.hosts = {}
        for emulator in shared():
            site = f"site-{uuid.uuid4()}"
            bucket(emulator, site, f"arn:aws:cloudfront::{ACCOUNT}:distribution/*")
            load_balancer = balancer(emulator, cls.service.server_port)
            cls.hosts[emulator] = distribution(emulator, site, load_balancer)

    @classmethod
    def tearDownClass(cls):
        cls.service.shutdown()
        cls.service.server_close()

    def test_get_the_page_from_a_bucket_that_wants_tls(self):
        self.assert_closed(lambda e: get(e, self.hosts[e], "/"), (200, "the page"))

    def test_get_the_services_through_the_vpc_origin(self):
        self.assert_closed(lambda e: get(e, self.hosts[e], "/api/x"), (200, "the service"))
