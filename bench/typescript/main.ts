// Makes the resources of synthesized stacks again, as a TypeScript app makes them: with the provider's classes, each created
// after those it refers to, and its references read from their attributes.
//
//   node main.js <folder with stacks/*/cdk.tf.json> <output folder> [first: stop after the first resource]
import * as fs from "fs";
import * as path from "path";
import { App, S3Backend, TerraformOutput, TerraformStack } from "cdktf";

type Json = { [key: string]: any };

/** Attributes that are maps: their keys are the user's. */
const MAPS = new Set(["tags", "variables", "dimensions", "options"]);
/** A firewall's statement nests without end: the class takes it as Terraform does. */
const isRaw = (k: string, v: any) => k === "statement" && !Array.isArray(v);

const camel = (s: string) => s.replace(/_+([a-z0-9])/g, (_, c) => c.toUpperCase());
const pascal = (s: string) => camel(`_${s}`);

/** A resource's class: aws_ecs_service is EcsService of lib/ecs-service. */
function classOf(type: string, data: boolean): any {
  const name = (data ? "data_" : "") + (data ? type : type.replace(/^aws_/, ""));
  const module = require(`@cdktf/provider-aws/lib/${name.replace(/_/g, "-")}`);
  return module[pascal(name)] ?? Object.values(module).find((c: any) => c.tfResourceType === type);
}

class Stack {
  private readonly made = new Map<string, any>();
  private readonly stack: TerraformStack;

  constructor(app: App, name: string, private readonly json: Json) {
    this.stack = new TerraformStack(app, name);
    const backend = json.terraform.backend?.s3;
    if (backend) {
      new S3Backend(this.stack, this.props(backend) as any);
    }
    (json.provider?.aws ?? []).forEach((p: Json, i: number) => {
      const { AwsProvider } = require("@cdktf/provider-aws/lib/provider");
      new AwsProvider(this.stack, i === 0 ? "aws" : `aws-${i}`, { ...this.props(p), defaultTags: p.default_tags });
    });
    this.stack.addOverride("terraform.required_providers.aws", json.terraform.required_providers.aws);
  }

  all() {
    for (const kind of ["data", "resource"]) {
      for (const [type, of] of Object.entries<Json>(this.json[kind] ?? {})) {
        Object.keys(of).forEach((name) => this.make(kind === "data", type, name));
      }
    }
    for (const [name, output] of Object.entries<Json>(this.json.output ?? {})) {
      new TerraformOutput(this.stack, name, this.props(output) as any).overrideLogicalId(name);
    }
  }

  first() {
    const [type, of] = Object.entries<Json>(this.json.resource)[0];
    this.make(false, type, Object.keys(of)[0]);
  }

  private make(data: boolean, type: string, name: string): any {
    const key = `${data ? "data." : ""}${type}.${name}`;
    if (!this.made.has(key)) {
      const { "//": _, ...config } = this.json[data ? "data" : "resource"][type][name];
      const { lifecycle, depends_on, provider, ...rest } = config;
      const r = new (classOf(type, data))(this.stack, key, { ...this.props(rest), lifecycle: lifecycle && this.props(lifecycle) });
      r.overrideLogicalId(name);
      for (const [k, v] of Object.entries({ depends_on, provider })) {
        if (v !== undefined) {
          r.addOverride(k, v);
        }
      }
      this.made.set(key, r);
    }
    return this.made.get(key);
  }

  /** A block as the classes take it: names in camel case, references read from the resources. */
  private props(block: Json): Json {
    return Object.fromEntries(Object.entries(block).map(([k, v]) => [camel(k), isRaw(k, v) ? v : MAPS.has(k) ? this.map(v) : this.value(v)]));
  }

  private map(v: Json): Json {
    return Array.isArray(v) ? v.map((x) => this.value(x)) : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, this.value(x)]));
  }

  private value(v: any): any {
    if (typeof v === "string") {
      return v.replace(/\$\{(data\.)?(aws_\w+)\.([\w-]+)\.(\w+)\}/g, (whole, data, type, name, attribute) => {
        const token = this.make(Boolean(data), type, name)[camel(attribute)];
        return typeof token === "string" ? token : whole;
      });
    }
    if (Array.isArray(v)) {
      return v.map((x) => this.value(x));
    }
    return v && typeof v === "object" ? this.props(v) : v;
  }
}

const [from, to, first] = process.argv.slice(2);
const app = new App({ outdir: to });
for (const name of JSON.parse(fs.readFileSync(path.join(from, "order.json"), "utf8"))) {
  const stack = new Stack(app, name, JSON.parse(fs.readFileSync(path.join(from, "stacks", name, "cdk.tf.json"), "utf8")));
  if (first) {
    stack.first();
    console.log("first"); // the benchmark takes the time of this line
    process.exit(0);
  }
  stack.all();
}
app.synth();
