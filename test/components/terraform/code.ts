import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The backend that the code names; what is the same for every key stands in it. */
export interface CodeOptions {
  readonly bucket: string;
  readonly key: string;
  /** A DynamoDB table holds the lock instead of a lock file. */
  readonly table?: string;
  /** Instead of the shop. */
  readonly body?: string;
}

/** A network, an application on it and its certificate; `release` decides what the application is, `SLOW` how long it takes. */
export const shop = `
variable "release" {
  type    = string
  default = "1"
}
variable "password" {
  type      = string
  default   = "c4n4ry-of-the-shop"
  sensitive = true
}
resource "terraform_data" "network" {
  input = "10.0.0.0/16"
}
resource "terraform_data" "app" {
  input            = { release = var.release, network = terraform_data.network.output, password = var.password }
  triggers_replace = [var.release]
  provisioner "local-exec" {
    command = "sleep \${var.release == "slow" ? 60 : 0}"
  }
}
resource "terraform_data" "certificate" {
  input = { names = ["shop", "www"], release = var.release }
}
output "release" {
  value = terraform_data.certificate.output.release
}
output "password" {
  value     = var.password
  sensitive = true
}
`;

/**
 * An application that really runs somewhere: its release stands in a file, which Terraform reads again when it plans. So what
 * is there can differ from what the state says.
 */
export const running = `
variable "release" {
  type    = string
  default = "1.4.2"
}
variable "place" {
  type = string
}
resource "terraform_data" "network" {
  input = "10.0.0.0/16"
}
resource "terraform_data" "app" {
  input            = { release = var.release, network = terraform_data.network.output, place = var.place }
  triggers_replace = [var.release]
  provisioner "local-exec" {
    command = "sleep \${var.release == "slow" ? 60 : 0}; printf %s $RELEASE > $PLACE"
    environment = {
      RELEASE = var.release
      PLACE   = var.place
    }
  }
  provisioner "local-exec" {
    when    = destroy
    command = "rm -f $PLACE"
    environment = {
      PLACE = self.input.place
    }
  }
}
resource "terraform_data" "service" {
  input = file(terraform_data.app.output.place)
}
output "release" {
  value = terraform_data.service.output
}
`;

/** A folder with a root module whose state is in S3, committed to a git repository of its own. */
export function writeCode(folder: string, { bucket, key, table, body = shop }: CodeOptions): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'main.tf'),
    `terraform {
  backend "s3" {
    bucket                      = "${bucket}"
    key                         = "${key}"
    region                      = "eu-central-1"
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    ${table === undefined ? 'use_lockfile = true' : `dynamodb_table = "${table}"`}
  }
}
${body}`,
  );
  commit(folder, 'Build the shop');
  return folder;
}

/** Commits everything below `folder`. */
export function commit(folder: string, message: string): void {
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=Eve', '-c', 'user.email=eve@shop.example', ...args], { cwd: folder, stdio: 'pipe' });
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', message);
}
