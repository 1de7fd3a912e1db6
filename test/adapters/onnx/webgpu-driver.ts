// Whether WebGPU can run here, and where its driver is.
//
// SwiftShader executes WebGPU without a GPU; Debian's and Ubuntu's chromium packages bring it.
// Whoever imports this has VK_DRIVER_FILES set where a driver was found; titles of tests that are
// skipped say why.

import { existsSync } from 'node:fs'

const driverPlaces = [
  process.env.VK_DRIVER_FILES,
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
]
const loaderPlaces = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64']
const driver = driverPlaces.find((place) => place !== undefined && existsSync(place))
const hasLoader = loaderPlaces.some((place) => existsSync(`${place}/libvulkan.so.1`))
export const isWebgpuRunnable = driver !== undefined && hasLoader
if (driver !== undefined) process.env.VK_DRIVER_FILES = driver

const reason = 'needs a Vulkan driver: apt-get install chromium libvulkan1'
export const webgpuTitle = (what: string) =>
  isWebgpuRunnable ? what : `${what} (skipped: ${reason})`
