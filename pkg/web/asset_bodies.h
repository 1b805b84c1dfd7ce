// The contents of assets/, which CMake puts into asset_bodies.cc.
#pragma once

namespace fairlead::web {

extern const char kIndexHtml[];
extern const char kAppJs[];
extern const char kAppCss[];
extern const char kIconSvg[];

}  // namespace fairlead::web
